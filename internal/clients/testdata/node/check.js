// The usual calls of npm's etcd3 against HOST:PORT. Ends with status 0, or with the first thing that differs.
const assert = require('node:assert');
const { Etcd3, EtcdLockFailedError } = require('etcd3');

const client = new Etcd3({ hosts: `http://${process.argv[2]}` });

async function check(what, got, want) {
  assert.deepStrictEqual(await got, want, what);
  console.log('ok', what);
}

async function main() {
  await client.put('/js/a').value('1');
  await check('get', client.get('/js/a').string(), '1');
  await check('get of nothing', client.get('/js/none'), null);
  await client.put('/js/b').value('2');
  await check('number', client.get('/js/b').number(), 2);
  await check('prefix', client.getAll().prefix('/js/').strings(), { '/js/a': '1', '/js/b': '2' });
  await check('keys', client.getAll().prefix('/js/').sort('Key', 'Descend').keys(), ['/js/b', '/js/a']);
  await check('count', client.getAll().prefix('/js/').count(), 2);
  await check('exists', Promise.all([client.get('/js/a').exists(), client.get('/js/none').exists()]), [true, false]);

  const answer = await client
    .if('/js/a', 'Value', '==', '1')
    .then(client.put('/js/c').value('3'), client.get('/js/a'))
    .else(client.delete().key('/js/a'))
    .commit();
  await check('transaction', answer.succeeded, true);

  const watcher = await client.watch().prefix('/js/w').create();
  const events = [];
  const seen = new Promise((resolve) => {
    watcher.on('put', (kv) => events.push(`put ${kv.key}=${kv.value}`));
    watcher.on('delete', (kv) => { events.push(`delete ${kv.key}`); resolve(); });
  });
  await client.put('/js/w1').value('x');
  await client.delete().key('/js/w1');
  await seen;
  await check('watch', events, ['put /js/w1=x', 'delete /js/w1']);
  await watcher.cancel();

  const lease = client.lease(30);
  await lease.put('/js/leased').value('x');
  await lease.keepaliveOnce();
  await check('lease', client.get('/js/leased').string(), 'x');
  await lease.revoke();
  await check('revoked', client.get('/js/leased'), null);

  const lock = await client.lock('js').ttl(10).acquire();
  await assert.rejects(client.lock('js').acquire(), EtcdLockFailedError);
  await lock.release();
  await check('lock', client.lock('js').do(async () => 'inside'), 'inside');

  const counter = client.stm();
  await client.put('/js/n').value('1');
  await counter.transact(async (tx) => tx.put('/js/n').value((await tx.get('/js/n').number()) + 1));
  await check('stm', client.get('/js/n').number(), 2);

  const election = client.election('js', 10);
  const campaign = election.campaign('me');
  await new Promise((resolve, reject) => { campaign.on('elected', resolve); campaign.on('error', reject); });
  await check('election', election.leader(), 'me');
  await campaign.resign();

  const space = client.namespace('/js/space/');
  await space.put('k').value('v');
  await check('namespace', client.get('/js/space/k').string(), 'v');

  const status = await client.maintenance.status();
  await check('status', status.version, '3.7.1');
  await check('members', client.cluster.memberList({}).then((r) => r.members.length), 1);
  await assert.rejects(client.kv.range({ key: Buffer.from('/js/a'), revision: '99999999' }), /required revision is a future revision/);
  await check('delete all', client.delete().prefix('/js/').then((r) => Number(r.deleted) > 3), true);
  client.close();
}

main().catch((err) => { console.error(err); process.exit(1); });

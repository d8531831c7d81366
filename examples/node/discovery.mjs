// Services that register themselves, and whoever looks for them.
//
//   node discovery.mjs register web 10.0.0.1:80     # stays until Ctrl-C
//   node discovery.mjs list web
//   node discovery.mjs watch web                    # who comes and who goes
//
// A registration is a key with a lease, `services/NAME/ADDRESS`. The service keeps the lease alive; if it dies, the key
// is gone within the TTL.
import { open, retry } from './connect.mjs';

const TTL = 5; // seconds

const [what, service, address = '127.0.0.1:80'] = process.argv.slice(2).filter((a) => !a.startsWith('--'));
const client = open();

/** Keeps a service registered until the program is stopped, then signs off. */
async function register() {
  const key = `services/${service}/${address}`;
  let lease;
  const stop = async () => {
    await lease?.revoke().catch((e) => console.log('could not sign off:', e.message)); // then the TTL does it
    console.log('signed off');
    process.exit(0);
  };
  process.on('SIGINT', stop);
  process.on('SIGTERM', stop);
  for (;;) {
    // The library keeps the lease alive, at one member after the other. It says 'lost' when the store has ended it: this
    // process was asleep, or cut off, for longer than the TTL. Then there is nothing left to keep, so register again.
    lease = client.lease(TTL);
    const lost = new Promise((resolve) => lease.once('lost', resolve));
    try {
      await retry(() => lease.put(key).value(address).exec()); // twice is the same put
      console.log('registered', key);
      await lost;
    } catch (e) {
      console.log('not registered:', e.message);
    }
    lease.release();
    console.log('registering again');
  }
}

async function read() {
  const answer = await retry(() => client.getAll().prefix(`services/${service}/`).exec());
  return {
    revision: BigInt(answer.header.revision),
    services: new Map(answer.kvs.map((kv) => [kv.key.toString(), kv.value.toString()])),
  };
}

/**
 * Prints who comes and goes. The watch starts behind the revision that was read, so nothing falls between. If the next
 * change has been compacted by the time it is asked for, all is read anew and compared.
 */
async function watch() {
  let known = new Map();
  for (;;) {
    const { revision, services } = await read();
    for (const key of services.keys()) if (!known.has(key)) console.log('there:', key);
    for (const key of known.keys()) if (!services.has(key)) console.log('gone:', key);
    known = services;
    console.log('watching from revision', String(revision + 1n));
    for (let next = revision + 1n; next; ) next = await follow(known, next);
  }
}

/**
 * Prints changes from a revision on, until the stream breaks off; resolves to the revision behind the last change, or to
 * null if the watch cannot go on there.
 *
 * Two things the library would do otherwise, at the price of a change now and then. create() resolves when the server
 * has answered, and a change that came along with the answer is emitted before anybody listens. And a watcher that lost
 * its server goes on behind the revision at which the last one answered, though older changes may not have come yet. So
 * watcher() is used, which is listened to from the beginning, and it is not used for a second stream.
 */
function follow(known, next) {
  return new Promise((resolve) => {
    const watcher = client.watch().prefix(`services/${service}/`).startRevision(String(next)).watcher();
    watcher.on('put', (kv) => {
      known.set(kv.key.toString(), kv.value.toString());
      next = BigInt(kv.mod_revision) + 1n;
      console.log('there:', kv.key.toString());
    });
    watcher.on('delete', (kv) => {
      known.delete(kv.key.toString());
      next = BigInt(kv.mod_revision) + 1n;
      console.log('gone:', kv.key.toString());
    });
    watcher.once('disconnected', () => watcher.cancel().then(() => resolve(next)));
    watcher.once('error', () => resolve(null)); // the server has ended the watch, and does not say why in words
  });
}

switch (what) {
  case 'register':
    await register();
    break;
  case 'watch':
    await watch();
    break;
  case 'list':
    for (const value of (await read()).services.values()) console.log(value);
    client.close();
    break;
  default:
    console.error('usage: node discovery.mjs register|list|watch SERVICE [ADDRESS] [--endpoints=URL,URL]');
    process.exit(2);
}

// Processes that take turns with a lock and count, each turn by one.
//
//   node lock.mjs a 10 &
//   node lock.mjs b 10
//   node lock.mjs sleeper 1 --stall=10     # sleeps with the lock, as if suspended
//
// The lock's holder owns a key bound to its lease. A holder that sleeps for longer than the TTL loses the lock and does
// not know it, so each write is a transaction that holds only while the lock's key is still the one it got: the sleeper
// writes nothing. What lies outside the store must check the key's create revision itself; it grows from holder to
// holder.
import { EtcdLockFailedError } from 'etcd3';
import { open, retry, sleep, unclear } from './connect.mjs';

const TTL = 3; // seconds
const LOCK = 'locks/node';
const COUNTER = 'jobs/node-counter';

const stall = Number(process.argv.find((a) => a.startsWith('--stall='))?.slice('--stall='.length) ?? 0); // seconds
const [name = 'worker', turns = '10'] = process.argv.slice(2).filter((a) => !a.startsWith('--'));
const client = open();

/** Waits for the lock. The library's lock does not stand in line: it takes it or fails, so ask again. */
async function acquire() {
  for (;;) {
    const lock = client.lock(LOCK).ttl(TTL);
    try {
      return await lock.acquire();
    } catch (error) {
      // An attempt whose outcome is unclear may hold the lock with a lease that the library keeps alive: end that lease.
      if (unclear(error)) await lock.release().catch(() => {});
      else if (!(error instanceof EtcdLockFailedError)) throw error;
    }
    await sleep(20 + Math.random() * 50);
  }
}

/** Counts by one while the lock is ours; null if it is not. The mark says that this turn has counted. */
async function count(token, mark) {
  for (;;) {
    const now = await retry(() => client.get(COUNTER).exec());
    const kv = now.kvs[0];
    const number = kv ? Number(kv.value.toString()) + 1 : 1;
    const done = await retry(() =>
      client
        .if(LOCK, 'Create', '==', token)
        .and(mark, 'Create', '==', 0)
        .and(COUNTER, 'Mod', '==', kv ? kv.mod_revision : 0)
        .then(client.put(COUNTER).value(number), client.put(mark).value(number))
        .else(client.get(mark), client.get(LOCK))
        .commit());
    if (done.succeeded) return number;
    const [earlier, lock] = done.responses.map((r) => r.response_range.kvs[0]);
    if (earlier) return Number(earlier.value.toString());
    if (lock?.create_revision !== token) return null;
  }
}

let slept;
for (let turn = 0; turn < Number(turns); ) {
  const lock = await acquire();
  const held = (await retry(() => client.get(LOCK).exec())).kvs[0];
  if (turn === 0 && stall > 0 && !slept) {
    slept = Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, stall * 1000); // keep-alives sleep, too
  }
  const ours = held?.lease === (await lock.leaseId()); // else it was lost in the meantime, and may be another's
  const number = ours ? await count(held.create_revision, `jobs/node-marks/${name}/${turn}`) : null;
  await lock.release().catch(() => {}); // a lease that is lost already needs no release; another ends with its TTL
  if (number === null) {
    console.log(name, 'lost its turn: the lock is no longer its own');
    continue;
  }
  console.log(name, 'counted', number, 'with token', held.create_revision);
  turn++;
}
client.close();

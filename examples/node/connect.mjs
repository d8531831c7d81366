// What the examples share: the addresses, and what to do when there is no answer.
//
// A request has three outcomes: done, refused, and unclear. Unclear means that the member or the leader went away after
// the request had left; it may have happened. retry() repeats it, so what it is given must do no harm when it happens
// twice.
import { Etcd3, isRecoverableError } from 'etcd3';

/** A client that knows all members: --endpoints=URL,URL or $ENDPOINTS, or a server on this machine. */
export function open() {
  const flag = process.argv.find((a) => a.startsWith('--endpoints='));
  const hosts = flag ? flag.slice('--endpoints='.length).split(',') : (process.env.ENDPOINTS ?? 'http://localhost:2379').split(',');
  return new Etcd3({
    hosts,
    dialTimeout: 3000,
    // One request may take so long (an election takes one to two seconds); watches and keep-alives stay open.
    defaultCallOptions: (call) => (call.isStream ? {} : { deadline: Date.now() + 4000 }),
  });
}

/** Runs attempt until its outcome is clear. */
export async function retry(attempt) {
  for (let wait = 50; ; wait = Math.min(2 * wait, 1000)) {
    try {
      return await attempt();
    } catch (error) {
      if (!unclear(error)) throw error;
    }
    await sleep(wait);
  }
}

/** Whether a request that failed like this may have been done all the same. */
export function unclear(error) {
  return isRecoverableError(error) || /UNAVAILABLE|DEADLINE_EXCEEDED|timed? ?out|leader changed|no leader/i.test(String(error));
}

export const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

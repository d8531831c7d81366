"""Processes that take turns with a lock and count, each turn by one.

    python lock.py --name a --turns 10 &
    python lock.py --name b --turns 10

The lock's holder owns a key bound to its lease. A holder that sleeps for longer than the TTL loses the lock and does not
know it, so each write is a transaction that holds only while the lock's key is still the one it got: the sleeper writes
nothing. What lies outside the store must check the key's create revision itself; it grows from holder to holder.
"""

import argparse
import time

from connect import ENDPOINTS, Cluster

LOCK = "locks/python"
COUNTER = "jobs/python-counter"


def acquire(cluster: Cluster, name: str, ttl: int):
    """Waits for the lock; returns the lease and the revision at which the lock became ours: the fencing token.

    Done twice it does no harm: an attempt whose outcome was unclear may have left our key there, under our lease, and the
    next attempt finds it. (etcd3's own Lock draws a new lease for every attempt, and cannot tell.)
    """
    lease = cluster.call(lambda c: c.lease(ttl))
    while True:
        def attempt(c):
            ops = c.transactions
            return c.transaction(
                compare=[ops.create(LOCK) == 0],
                success=[ops.put(LOCK, name, lease=lease.id)],
                failure=[])
        cluster.call(attempt)
        kvs = cluster.call(lambda c: c.get_response(LOCK)).kvs
        if kvs and kvs[0].lease == lease.id:
            return lease.id, kvs[0].create_revision
        answers = cluster.call(lambda c: list(c.refresh_lease(lease.id)))
        if not answers or answers[0].TTL == 0:
            lease = cluster.call(lambda c: c.lease(ttl))
        time.sleep(0.05)


def count(cluster: Cluster, token: int, mark: str):
    """Counts by one, while the lock is ours; returns the number, or None if it is not.

    The mark, written with the number, says that this turn has counted, so that it is not counted twice.
    """
    while True:
        value, meta = cluster.call(lambda c: c.get(COUNTER))
        number = int(value or 0) + 1
        seen = meta.mod_revision if meta else 0

        def attempt(c):
            ops = c.transactions
            return c.transaction(
                compare=[ops.create(LOCK) == token, ops.create(mark) == 0, ops.mod(COUNTER) == seen],
                success=[ops.put(COUNTER, str(number)), ops.put(mark, str(number))],
                failure=[ops.get(mark), ops.get(LOCK)])

        done, answers = cluster.call(attempt)
        if done:
            return number
        earlier, lock = answers
        if earlier:
            return int(earlier[0][0])
        if not lock or lock[0][1].create_revision != token:
            return None


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--endpoints", default=ENDPOINTS, help="client URLs, separated by commas ($ENDPOINTS)")
    parser.add_argument("--name", default="worker")
    parser.add_argument("--turns", type=int, default=10)
    parser.add_argument("--ttl", type=int, default=3, help="seconds after which a dead holder's lock is free")
    parser.add_argument("--stall", type=float, default=0, help="seconds to sleep with the lock, as if suspended")
    args = parser.parse_args()
    cluster = Cluster(args.endpoints)
    turn = 0
    while turn < args.turns:
        lease, token = acquire(cluster, args.name, args.ttl)
        time.sleep(args.stall)
        number = count(cluster, token, f"jobs/python-marks/{args.name}/{turn}")
        cluster.call(lambda c: c.revoke_lease(lease) if cluster_has(c, lease) else None)
        if number is None:
            print(args.name, "lost its turn: the lock is no longer its own", flush=True)
            args.stall = 0
            continue
        print(args.name, "counted", number, "with token", token, flush=True)
        turn += 1


def cluster_has(client, lease: int) -> bool:
    """Whether the lease is still there: revoking it a second time would be an error."""
    return client.get_lease_info(lease).TTL > 0


if __name__ == "__main__":
    main()

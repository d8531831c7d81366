"""Services that register themselves, and whoever looks for them.

    python discovery.py register web 10.0.0.1:80     # stays until Ctrl-C
    python discovery.py list web
    python discovery.py watch web                    # who comes and who goes

A registration is a key with a lease, `services/NAME/ADDRESS`. The service keeps the lease alive; if it dies, the key is
gone within the TTL.
"""

import argparse
import signal
import time

from etcd3 import events, exceptions

from connect import ENDPOINTS, Cluster, unclear


def register(cluster: Cluster, service: str, address: str, ttl: int):
    """Keeps a service registered until the program is stopped, then signs off."""
    key = f"services/{service}/{address}"
    while True:
        # A grant that happened twice leaves a lease that runs out unused; a put that did is the same put.
        lease = cluster.call(lambda c: c.lease(ttl)).id
        try:
            cluster.call(lambda c: c.put(key, address, lease=lease))
            print("registered", key, flush=True)
            keep_alive(cluster, lease, ttl)
        except KeyboardInterrupt:
            cluster.call(lambda c: c.revoke_lease(lease))  # gone at once, not after the TTL
            print("signed off", flush=True)
            return
        print("the lease was lost; registering again", flush=True)


def keep_alive(cluster: Cluster, lease: int, ttl: int):
    """Returns when the lease is lost: this process was asleep, or cut off, for longer than the TTL."""
    while True:
        answers = cluster.call(lambda c: list(c.refresh_lease(lease)))
        if not answers or answers[0].TTL == 0:
            return
        time.sleep(ttl / 3)


def read(cluster: Cluster, service: str):
    """Returns the registrations, and the revision at which they were read."""
    answer = cluster.call(lambda c: c.get_prefix_response(f"services/{service}/"))
    return {kv.key.decode(): kv.value.decode() for kv in answer.kvs}, answer.header.revision


def watch(cluster: Cluster, service: str):
    """Prints who comes and goes. Nothing is missed: the watch goes on behind the last change seen, at whichever member,
    and if that has been compacted, all is read anew and compared."""
    known: dict[str, str] = {}
    while True:
        now, revision = read(cluster, service)
        for key in now.keys() - known.keys():
            print("there:", key, flush=True)
        for key in known.keys() - now.keys():
            print("gone:", key, flush=True)
        known = now
        print("watching from revision", revision + 1, flush=True)
        try:
            follow(cluster, service, known, revision + 1)
        except exceptions.RevisionCompactedError:
            pass


def follow(cluster: Cluster, service: str, known: dict[str, str], revision: int):
    """Follows the changes from a revision on, at one member after the other."""
    while True:
        cancel = None
        try:
            responses, cancel = cluster.client.watch_prefix_response(f"services/{service}/", start_revision=revision)
            for response in responses:
                for event in response.events:
                    key = event.key.decode()
                    if isinstance(event, events.DeleteEvent):
                        known.pop(key, None)
                        print("gone:", key, flush=True)
                    else:
                        known[key] = event.value.decode()
                        print("there:", key, flush=True)
                    # The change's own revision, not the header's: that can be ahead of what has been sent.
                    revision = event.mod_revision + 1
        except Exception as error:
            if not unclear(error):
                raise
            cluster.next()
            time.sleep(0.1)
        finally:
            if cancel:
                cancel()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--endpoints", default=ENDPOINTS, help="client URLs, separated by commas ($ENDPOINTS)")
    parser.add_argument("--ttl", type=int, default=5, help="register: seconds after which a dead service is gone")
    parser.add_argument("what", choices=["register", "list", "watch"])
    parser.add_argument("service")
    parser.add_argument("address", nargs="?", default="127.0.0.1:80")
    args = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    cluster = Cluster(args.endpoints)
    try:
        if args.what == "register":
            register(cluster, args.service, args.address, args.ttl)
        elif args.what == "watch":
            watch(cluster, args.service)
        else:
            for address in read(cluster, args.service)[0].values():
                print(address)
    except KeyboardInterrupt:
        pass


if __name__ == "__main__":
    main()

"""The usual calls of python-etcd3 (gRPC) against HOST:PORT. Ends with status 0, or with the first thing that differs."""
import sys
import threading

import etcd3
from etcd3.events import DeleteEvent, PutEvent

host, port = sys.argv[1].split(":")
client = etcd3.client(host=host, port=int(port), timeout=10)


def check(what, got, want):
    if got != want:
        sys.exit(f"{what}: got {got!r}, want {want!r}")
    print("ok", what)


client.put("/py/a", "1")
value, meta = client.get("/py/a")
check("get", (value, meta.key, meta.version), (b"1", b"/py/a", 1))
check("get of nothing", client.get("/py/none"), (None, None))
previous = client.put("/py/a", "2", prev_kv=True)
check("previous value", previous.prev_kv.value, b"1")
client.put("/py/b", "3")
check("prefix", sorted((m.key, v) for v, m in client.get_prefix("/py/")), [(b"/py/a", b"2"), (b"/py/b", b"3")])
check("sorted", [v for v, _ in client.get_prefix("/py/", sort_order="descend", sort_target="key")], [b"3", b"2"])
check("range", [v for v, _ in client.get_range("/py/a", "/py/b")], [b"2"])
check("keys only", [v for v, _ in client.get_prefix("/py/", keys_only=True)], [b"", b""])
check("replace", (client.replace("/py/a", "2", "4"), client.replace("/py/a", "2", "5")), (True, False))
check("put if not exists", (client.put_if_not_exists("/py/a", "x"), client.put_if_not_exists("/py/c", "x")), (False, True))
succeeded, responses = client.transaction(
    compare=[client.transactions.value("/py/a") == "4", client.transactions.version("/py/a") > 1],
    success=[client.transactions.put("/py/d", "5"), client.transactions.get("/py/a")],
    failure=[client.transactions.delete("/py/a")],
)
check("transaction", (succeeded, responses[1][0][0]), (True, b"4"))

events, cancel = client.watch_prefix("/py/w/")
client.put("/py/w/1", "x")
client.delete("/py/w/1")
first, second = next(events), next(events)
cancel()
check("watch", (type(first), first.key, first.value, type(second)), (PutEvent, b"/py/w/1", b"x", DeleteEvent))
done = threading.Event()
watch = client.add_watch_callback("/py/cb", lambda _: done.set())
client.put("/py/cb", "x")
check("watch by callback", done.wait(10), True)
client.cancel_watch(watch)

lease = client.lease(60)
client.put("/py/leased", "x", lease=lease)
check("lease", (lease.granted_ttl, list(lease.keys)), (60, [b"/py/leased"]))
check("keep-alive", [r.TTL for r in lease.refresh()], [60])
lease.revoke()
check("revoked", client.get("/py/leased"), (None, None))

lock = client.lock("py", ttl=20)
check("lock", (lock.acquire(timeout=5), lock.is_acquired(), lock.release()), (True, True, True))
with client.lock("py") as held:
    check("lock again", held.is_acquired(), True)

check("members", [m.name != "" and m.client_urls != [] for m in client.members], [True])
status = client.status()
check("status", (status.version, status.leader is not None, status.db_size > 0), ("3.7.1", True, True))
check("alarms", list(client.list_alarms()), [])
client.compact(meta.mod_revision + 1)
client.defragment()
check("hash", client.hash() != 0, True)
check("delete", (client.delete("/py/a"), client.delete("/py/a")), (True, False))
check("delete prefix", client.delete_prefix("/py/").deleted > 2, True)
try:
    client.put("", "x")
    sys.exit("an empty key was taken")
except Exception as e:
    check("an error", "key is not provided" in str(e), True)

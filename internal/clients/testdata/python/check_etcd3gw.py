"""The usual calls of etcd3gw (the JSON gateway) against HOST:PORT."""
import sys

import etcd3gw
from etcd3gw.lock import Lock

host, port = sys.argv[1].split(":")
client = etcd3gw.client(host=host, port=int(port), timeout=10)


def check(what, got, want):
    if got != want:
        sys.exit(f"{what}: got {got!r}, want {want!r}")
    print("ok", what)


check("put", client.put("/gw/a", "1"), True)
check("get", client.get("/gw/a"), [b"1"])
check("get of nothing", client.get("/gw/none"), [])
check("metadata", client.get("/gw/a", metadata=True)[0][1]["version"], "1")
client.put("/gw/b", "2")
check("prefix", sorted(v for v, _ in client.get_prefix("/gw/")), [b"1", b"2"])
check("sorted", [v for v, _ in client.get_prefix("/gw/", sort_order="descend", sort_target="key")], [b"2", b"1"])
check("create", (client.create("/gw/c", "x"), client.create("/gw/c", "x")), (True, False))
check("replace", (client.replace("/gw/a", "1", "3"), client.replace("/gw/a", "1", "4")), (True, False))
check("delete", (client.delete("/gw/a"), client.delete("/gw/a")), (True, False))

lease = client.lease(ttl=60)
client.put("/gw/leased", "x", lease)
check("lease", (lease.ttl() > 50, lease.keys(), lease.refresh()), (True, [b"/gw/leased"], 60))
check("revoke", (lease.revoke(), client.get("/gw/leased")), (True, []))

events, cancel = client.watch_prefix("/gw/w")
client.put("/gw/w1", "x")
client.delete("/gw/w1")
first, second = next(events), next(events)
cancel()
check("watch", (first["kv"]["key"], first["kv"]["value"], second["type"]), (b"/gw/w1", b"x", "DELETE"))
check("watch once", client.put("/gw/once", "x"), True)

lock = Lock("gw", ttl=20, client=client)
check("lock", (lock.acquire(), lock.is_acquired()), (True, True))
other = Lock("gw", ttl=20, client=client)
check("lock taken", other.acquire(), False)
check("unlock", lock.release(), True)

check("members", len(client.members()), 1)
check("status", client.status()["version"], "3.7.1")
answer = client.transaction({
    "compare": [{"key": "L2d3L2I=", "result": "EQUAL", "target": "VALUE", "value": "Mg=="}],
    "success": [{"request_put": {"key": "L2d3L2I=", "value": "NQ=="}}],
    "failure": [],
})
check("transaction", (answer["succeeded"], client.get("/gw/b")), (True, [b"5"]))
check("delete prefix", client.delete_prefix("/gw/"), True)

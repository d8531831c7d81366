// Package e2e holds the end-to-end tests: real server processes on loopback, driven from outside by the clients
// that people use — go.etcd.io/etcd/client/v3 with its concurrency package, and the etcdctl binary. It has no code
// of its own, only tests.
//
// # How the tests are made
//
// Client scenarios (kv, txn, watch, lease, concurrency, cluster) are functions that take a running cluster and a
// key prefix of their own. The table in scenarios_test.go runs every one of them on a cluster of one and on a
// cluster of three, side by side, as different users of one server would.
//
// The scripts in testdata/etcdctl hold commands and exactly what the tool printed. Names stand for what differs
// between runs (`<n1>` is the first member's id in whatever base it was printed, `<lease1>` the first lease).
// They were recorded with etcd 3.7.1 as the server, not with Holdfast; to record again:
//
//	HOLDFAST_BIN=bin/etcd go test -count=1 ./internal/e2e -run TestEtcdctl -rewrite
//
// (The go command does not know that these tests depend on a server that they build themselves; without -count=1 it
// may answer from its cache.)
//
// Process tests kill, pause and stop members, and look at what supervisors and harnesses look at: exit, ports,
// log lines, what is still there after a restart.
//
// The hash test sends one random history to Holdfast and to etcd and compares HashKV at 100 revisions: two stores
// that agree byte for byte on every version of every key.
//
// # The oracle is etcd
//
// Every test here passes with HOLDFAST_BIN=bin/etcd. That is what makes a failure mean something: the expectation
// is not what we think etcd does, it is what etcd did.
package e2e

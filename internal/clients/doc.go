// Package clients runs the client libraries that people use, in their own
// languages and from their own registries, against a server process: it has no
// code of its own, only tests.
//
//	Go      client/v3 with concurrency, leasing, mirror, namespace, ordering
//	Python  etcd3 (gRPC) and etcd3gw (the JSON gateway)
//	Node    etcd3
//	Java    jetcd
//
// Go's run with every "go test". The others need an interpreter and a registry
// and run with
//
//	make clients
//
// HOLDFAST_CLIENTS says how: "required" (make clients) fails without them,
// "available" (CI: make clients CLIENTS=available) leaves out what can't be installed and says so. Their
// programs lie in testdata, one a language; each prints what it has checked and
// stops at the first thing that differs. As with every test from outside,
// HOLDFAST_BIN=bin/etcd runs them against etcd: that is how they were written.
package clients

// Command conformance runs etcd's published suites against Holdfast: packages of
// go.etcd.io/etcd/tests/v3 of the release whose API Holdfast serves, built with
// the tag e2e, so that they start real processes and drive them with etcdctl,
// curl and the Go client. The suites are not changed in any way. They find
// Holdfast under the name etcd, in a directory of its own.
//
//	make conformance                                  # the client suite, about 15 minutes
//	make conformance CONFORMANCE='-suite e2e'         # that of the process: flags, TLS, HTTP, logs, files
//	make conformance CONFORMANCE='-run TestKV -v'     # some of it
//	make conformance CONFORMANCE='-etcd'              # etcd itself, to compare
//
// The client suite (tests/common) is the measure: it asks what any client may
// ask. The other one (tests/e2e) asks about etcd as a program, its bolt file and
// its own tools among it, where Holdfast is another program.
//
// # How
//
//  1. build: Holdfast from this checkout, etcdctl and etcdutl (or etcd, too) from
//     the Go module proxy, and the suite as a test binary.
//  2. run: each top-level test in a process of its own, so that one that hangs or
//     panics costs itself only; one that fails is run once more, and the report
//     says so. The suite uses fixed ports (20000 and up), so
//     nothing runs at the same time.
//  3. report: leaf cases passed, failed, skipped. A failing case that known_SUITE.txt
//     explains is a known difference; any other makes the command fail, and so
//     does a known difference that is none any more.
//
// A module of its own keeps etcd's server and its dependencies out of what users
// of Holdfast download.
package main

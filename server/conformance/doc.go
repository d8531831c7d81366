// Command conformance runs etcd's published client suite against Holdfast: the
// package go.etcd.io/etcd/tests/v3/common of the release whose API Holdfast
// serves, built with the tag e2e, so that it starts real processes and drives
// them with etcdctl and the Go client. The suite is not changed in any way.
// It finds Holdfast under the name etcd, in a directory of its own.
//
//	make conformance                                  # all of it, about 20 minutes
//	make conformance CONFORMANCE='-run TestKV -v'     # some of it
//	make conformance CONFORMANCE='-etcd'              # etcd itself, to compare
//
// # How
//
//  1. build: Holdfast from this checkout, etcdctl and etcdutl (or etcd, too) from
//     the Go module proxy, and the suite as a test binary.
//  2. run: each top-level test in a process of its own, so that one that hangs or
//     panics costs itself only. The suite uses fixed ports (20000 and up), so
//     nothing runs at the same time.
//  3. report: leaf cases passed, failed, skipped. A failing case that known.txt
//     explains is a known difference; any other makes the command fail, and so
//     does a known difference that is none any more.
//
// A module of its own keeps etcd's server and its dependencies out of what users
// of Holdfast download.
package main

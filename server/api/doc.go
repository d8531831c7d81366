// Package api serves etcd's v3 services. It is the gate between clients and the
// replicated state machine: etcd's protobufs, error texts and odd corners stop
// here, and behind it there are only the types of mvcc and server/state.
//
// # What happens to a put
//
//	client ── PutRequest ──▶ Service.Put
//	    room        does it fit into the quota?                 quota.go
//	    checkPut    key not empty, no value with ignore_value   check.go
//	    putFromPB   pb.PutRequest → mvcc.PutRequest             from_pb.go
//	    admit       is no alarm raised that forbids it?         quota.go
//	    Backend.Propose   …log, quorum, apply on this member…
//	    putPB       mvcc.PutResult → pb.PutResponse             to_pb.go
//	client ◀─ PutResponse ── header{cluster, member, revision, term}
//
// A range goes the same way, but asks Backend.View for a point in time and reads
// it on its own goroutine: the actors never wait for it. A transaction that can
// only read does the same; all others go through the log.
//
// # Guarantees
//
//   - Errors are etcd's, by code and by text ([ToGRPC]). Nothing else leaks out:
//     clients compare strings.
//   - What passes the gate is well-formed, so a request that is in the log can
//     be applied by every replica.
//   - A reply's header never shows a revision older than the reply's own change,
//     and a keep-alive's never one newer than its renewal.
//   - A watch stream that doesn't read costs memory for its credit of responses
//     and nothing more.
//
// # Who may
//
// While auth is on, one table says who may call a method (rules.go): anyone,
// everybody with a name, administrators, or that the request decides. A method
// without a row is refused. Where the request decides, its method asks (permit.go),
// and if one forgot to its answer would be held back. Who the caller is, a token
// or a verified certificate tells (caller.go, package token).
//
// A read is checked by the view that it reads. A command is checked before it is
// proposed and again when it is applied, by the state that it meets then: only
// that counts. A member that lags doesn't refuse by what it has applied so far: it
// asks what is agreed on first. A watch is checked when it begins, and whenever
// users or permissions change, between the commands of an entry.
//
// # How a watch stream works
//
// Each stream is a pair of goroutines. The receiver passes requests to the hub,
// on the apply actor. The hub pushes responses into the stream's queue against
// credit; the sender encodes and sends them, then grants as much again. Credit
// counts responses, so a stream holds at most 128 of them in memory; whatever
// happens meanwhile stays in the store's history, where the watcher's cursor is.
// Responses encode themselves ([WatchMessage]): thousands of watchers of one key
// share the encoding of an event.
//
// # Departures from etcd
//
//   - Transactions nest at most state.TxnDepthMax deep. etcd has no such limit
//     but its budget of operations, which is smaller unless it was raised.
//   - A watch id of -1 chosen by a client counts as 0: the server picks one.
//   - Quota is a count of logical bytes, the same on all members, instead of the
//     size of a file; Defragment has nothing to do and says so by succeeding.
//   - A watch ends when its caller loses the permission, his password changes or
//     auth is turned on; etcd looks when it begins, and never again.
//   - A login of a user without a password fails like any other failed login; etcd
//     says that he has none.
//   - Hash covers the key space, not a database file.
//
// # Left out so far
//
// Membership changes, snapshots over gRPC, and downgrade answer
// Unimplemented.
//
// Sources: etcd 3.7 api/etcdserverpb/rpc.proto, api/v3rpc/rpctypes/error.go,
// and the etcd documentation "etcd API guarantees".
package api

// Package differential sends the same requests to Holdfast and to etcd 3.7.1, in lockstep, and compares all that
// comes back.
//
// The other tests say what an author thought of; this one asks etcd. It stands on two facts: a sequence of requests
// with settled values (revisions, lease ids, watch ids) makes the same history in both servers, and headers carry the
// revision, so that servers which once part never meet again.
//
// # One step
//
//	Generator ──Step──▶ Pair.Do ──▶ etcd      ──▶ outcome ┐
//	    ▲                   └─────▶ Holdfast  ──▶ outcome ┴ same? ── settle: watch streams said the same?
//	    └──────── what etcd answered ◀───────────────────────────────────┘
//
// A [Step] is a unary request, the same as JSON through the gateway, a streamed range, a keep-alive, a request on a
// watch stream, a request that waits for its turn, a snapshot, or plain HTTP. Requests are raw protobufs: empty keys,
// unknown enumerators and operands of the wrong kind pass, which no client library would send. Four generators draw
// them: [Generator] keys, leases, watchers and alarms; [AuthGenerator] users, roles and who may do what;
// [QueueGenerator] locks and elections; [AdminGenerator] members, leadership, versions, hashes, and what no server should
// take. They draw from few names, and listen to etcd's answers, so that what they name mostly exists, or just doesn't
// any more.
//
// # What is compared
//
// Every field of every reply, nested headers included; errors by code and text. Not: ids of clusters, members and
// terms, sizes and indexes in Status, URLs (only whether they are there); a remaining TTL may differ by two seconds and
// the longest step; keys and leases of lists that etcd takes from Go maps are sorted first. Of JSON the message, the
// status, the type and the form (which names, in what order, what kind of value) are compared, of a snapshot what a
// client checks of the stream. docs/differences.md lists what is known to differ, and why; the generators keep away
// from it.
//
// Watch streams are compared as one sequence for each watcher: etcd leaves open in which order watchers of a stream
// are served. Each stream has a witness, a watcher of everything, which shows when a change has come through; so the
// next step never overtakes the events of the last. For a watcher that began in the past only events are compared, not
// how they were batched; it is given the time that etcd's loop needs before a step that could see the difference.
//
// # A difference
//
// It is shrunk first: steps are left out, halves at first, and the rest is replayed on fresh servers ([Shrink]). What
// is printed is the shortest run that was found and both answers to its last step.
//
//	make differential
//	go test -count=1 ./internal/differential -run TestRandom/auth -seed 7 -seeds 1 -steps 1500 -v
//
// The first line is the long run, the second one seed of one generator. In `go test` there are scripts and short runs.
//
// # What was covered
//
// [Coverage] holds every RPC, every JSON path, every field of every request and every value of an enumeration, read from
// the services' descriptors, and the errors that were met. The long run prints it and fails if anything in it, or an
// error that one member can give (expected_test.go), was met less than a hundred times.
//
// # What is left out
//
// Clusters of several members, leader changes, restarts and expiry of leases: two clusters have no common time for
// these, and internal/e2e, internal/torture and the simulator judge them by what must hold instead of by what etcd did.
package differential

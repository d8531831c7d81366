// Package torture kills real servers under load and checks that nothing they promised was broken.
//
// # A round
//
// Three processes form a cluster. Sixty-four writers put, get, delete, swap and transact over a thousand keys, each
// write with a value that no other write has; watchers follow all keys and parts of them, leave in the middle and
// resume through another member. Meanwhile the nemesis kills (SIGKILL) a random member, the leader, a majority or
// all at once, pauses members, and starts them again. Then everything is healed, all members are asked for all that
// happened, and the round is judged:
//
//   - acknowledged: each write that a client was told of stands in the log of changes at the revision that it was
//     told, and nothing stands there twice or that nobody asked for.
//   - linearizable: the history passes package linearizability — every reply is what a sequential store would have
//     given at that revision, in an order that respects real time, and each key's operations pass Porcupine, which
//     trusts no revision.
//   - watches: each watcher saw every change of its keys once, in order, whole revisions at a time.
//   - members: HashKV and the log of changes are equal on all of them.
//
// Rounds follow each other on one cluster; a round begins with what the last one left, as read before it.
//
// # What it cannot find
//
// SIGKILL leaves the page cache alone: a server that never syncs passes. Nor are there partitions, bad disks or
// clocks here. Those belong to the simulator, which also can replay what it finds; a failure found here comes with
// a history to look at and a seed that repeats the requests, but not their timing.
//
// # Trusting it
//
// `HOLDFAST_BIN=bin/etcd make torture` runs all of it against etcd, which must pass. That it can fail is tested in
// check_test.go, where each promise is broken in a small recorded history.
package torture

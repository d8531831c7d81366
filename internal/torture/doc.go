// Package torture spoils everything that holds a cluster of real servers up, under load, and checks that nothing they
// promised was broken. `holdfast torture` is its command.
//
// # A round
//
// Real processes form a cluster. Sixty-four writers put, get, delete, swap and transact over a thousand keys, each
// write with a value that no other write has; watchers follow all keys and parts of them, leave in the middle and
// resume through another member; somebody compacts. Two hands spoil things at the same time. The nemesis does what
// ends or stops processes, one thing after the other: SIGKILL to a member, the leader, a majority or all, SIGSTOP, a
// disk that fails or is full, a member that is replaced by an empty one, and what an operator does to each in turn:
// restart, replace, renew its certificates. The weather spoils what is between and below them: links cut in one
// direction or both, late messages, slow and stalled disks. So members die behind cut links and elect while messages
// are late. Then everything is mended, all members are asked for all that happened, and the round is judged:
//
//   - acknowledged: each write that a client was told of stands in the log of changes at the revision that it was
//     told, and nothing stands there twice or that nobody asked for.
//   - linearizable: the history passes package linearizability — every reply is what a sequential store would have
//     given at that revision, in an order that respects real time, and each key's operations pass Porcupine, which
//     trusts no revision.
//   - watches: each watcher saw every change of its keys once, in order, whole revisions at a time.
//   - members: HashKV and the log of changes are equal on all of them.
//
// Rounds follow each other on one cluster; a round begins with what the last one left, as read before it. A member
// that ends by itself, and a cluster that does not come back within two minutes, are verdicts, too.
//
// # How real things are spoilt
//
//   - Power loss: the server is started with --test-disk=powerloss (internal/disk/testdisk). It keeps in its own
//     memory what it did not sync, so that SIGKILL loses it, and a sync that the kill interrupts is torn.
//   - Disks: the same wrapper reads a control file, in which disks.go says slow, stalled, failing or full.
//   - Links: with namespaces (namespaces_linux.go) each member's process has a network namespace and an address of its
//     own, and router.go, in this process, carries packets between them. What a cut direction carries vanishes, and
//     nobody is told: TCP sends it again, later and later, dials wait for an answer, the end of a killed process is
//     not heard. Clients reach every member all the time.
//   - Links, without the rights that this takes: each member advertises a TCP proxy of this process (proxies.go). It
//     holds bytes back, delivers them late or breaks connections, for each direction between two members. But a proxy
//     accepts connections and acknowledges bytes on behalf of a member that is cut off, and hands over all that it
//     held as soon as the cut is mended, so TCP never has to find out anything.
//
// Both keep the same conditions (condition.go) for the same directions, so a seed's faults are the same.
//
// # A secure cluster
//
// With Secure every connection shows certificates on both sides, revoked ones are known, and auth is on: half of the
// writers log in with a password, half with the common name of their certificate, and both may touch the writers' keys
// only. Renew then gives each member and each client another certificate, and another authority, one after the other
// and without a restart; connections are broken so that they are made with the new ones, and what was withdrawn must
// open no door. Permissions change, too, so that everybody logs in anew.
//
// The files in order: config.go, run.go and round.go; clients.go, office.go and users.go say who connects, and how;
// writer.go and watcher.go make histories; nemesis.go, churn.go, turns.go, renew.go, weather.go and disks.go spoil;
// network.go and condition.go say what links are, proxies.go, or namespaces_linux.go, device_linux.go, router.go and
// segment.go, what they are made of; observer.go sees who leads; evidence.go, check.go and judge.go judge; report.go
// tells.
//
// # What it cannot find
//
// What needs an instant that a real machine rarely hits, a clock that is wrong, or a bit that rots. Those belong to
// the simulator, which also can replay what it finds; a failure found here comes with a history to look at, the logs
// of all members, and a seed that repeats requests and faults, but not their timing.
//
// # Trusting it
//
// `holdfast torture --binary bin/etcd` runs all but the disks against etcd, which must pass; `holdfast torture --faults
// killall,powerloss -- --unsafe-no-fsync` must fail. That each check can fail is tested in check_test.go, where each
// promise is broken in a small recorded history.
package torture

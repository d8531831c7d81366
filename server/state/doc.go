// Package state is the replicated state machine: keys (package mvcc), leases,
// users and roles (package auth), alarms, the member table, and the windows that make a request apply once.
//
// Raft gives every member the same entries in the same order. This package
// turns them into the same state: Apply is a function of the state before and
// of the entry, and of nothing else. It reads no clock, no flag, no quota, no
// random number, and depends on no map's order. So two members with equal
// applied index have equal Hash, and one that doesn't has a bug, or a bad disk.
//
// # What is promised
//
//  1. Each entry is applied once, in order, without a gap.
//  2. A command is all or nothing. One that fails leaves no trace but its
//     request id, which is spent.
//  3. Every replica answers a command with the same Result, errors included.
//  4. A request with an id applies at most once, for ever: across retries,
//     duplicated messages, leader changes, restarts and snapshots.
//  5. A View never changes and may be read by anyone; a snapshot of a State,
//     loaded, goes on exactly like the original.
//
// # A small example
//
// Three requests, taken by members 1 and 2, travel in one entry:
//
//	entry 8@3: [ 1/boot 4/seq 17  grant lease 7, 60 s
//	             1/boot 4/seq 18  put lock=me, lease 7
//	             2/boot 1/seq 5   put color=red          ]
//
//	apply     window of 1        window of 2   revision   leases
//	────────  ─────────────────  ────────────  ─────────  ──────────────────
//	before    high 16            high 4        41         –
//	grant     high 17            high 4        41         7: 60 s
//	put lock  high 18            high 4        42         7: 60 s {lock}
//	put color high 18            high 5        43         7: 60 s {lock}
//
// The network repeats member 1's message, and the leader puts seq 18 into entry
// 9 again: its bit is set, so nothing happens and the answer is ErrDuplicate,
// for which nobody waits. Member 1 restarts: its boot is 5, its sequence starts
// over, and whatever of boot 4 is still on its way is ErrAmbiguous from the
// first request of boot 5 on.
//
// The leader sees lease 7 run out and proposes {revoke 7, expired} in term 3.
// If that is committed in term 3, key lock is deleted, in one revision with all
// other keys of the lease. If a new leader of term 4 commits it, it is void: the
// new leader has given the lease its whole TTL again, and may have told so.
//
// # The parts
//
// Commands (command.go) are encoded once, on the goroutine of whoever asks
// (body.go, txn.go), and stay bytes until they are applied; an entry joins many
// (batch.go). CheckBody is the last gate before the log: what is in the log,
// every replica can apply, and Apply treats the rest as damage.
//
// Leases (lease.go) hold what must be agreed on: id, TTL, checkpoint, keys. When
// a lease runs out is the leader's affair (server/replica), which counts its own
// ticks and hears of changes by Options.LeaseChanged.
//
// Alarms (alarm.go) are raised and disarmed through the log. While NOSPACE is
// raised nothing is applied that adds data, while CORRUPT is raised nothing
// that writes. Both are decided here, by replicated state; whether there is too
// much data is decided at the gate, by whoever raises the alarm.
//
// Members (member.go) are raft's configuration, joined with the names and client
// URLs that members publish. A member that is removed takes its window and its
// alarms with it; should it come back, it is new. Until the first configuration
// entry nobody is turned away, for the initial configuration is in no entry and
// a member that joins later doesn't know it.
//
// Users, roles and permissions (auth.go) are a table of package auth. A command
// carries its caller, and permit.go decides by the state that it meets: a put
// with a lease needs WRITE on keys that others may have attached a moment ago.
// The gate asks the same function before, to spare the log what would be refused.
//
// Views (view.go) are made when somebody asks: the trees are cloned in O(1),
// lists are replaced and never changed. Export (export.go) is a view and a copy
// of the windows, whose records a snapshot file holds; Loader (load.go) is its
// inverse and checks what it is given, down to the state hash.
//
// # Departures and why
//
// etcd keeps no request ids: a put whose answer was lost may have been applied,
// and clients retry at their own risk. Here a member may forward and resend
// within itself without that risk. A client's own retry is still a new request,
// as in etcd: its protocol has no room for more.
//
// etcd's lessor lives beside the store and deletes a lease's keys through it;
// the lease itself is in its own bucket. Here lease and keys are one state with
// one hash, so a lease that is missing from a snapshot can't go unnoticed.
//
// # Left out, and the cost
//
// WindowSize bounds how many requests of one member are in flight, 65,536. A member's window costs
// 8 KiB, also in each snapshot. Nested transactions end at depth 8.
//
// # Sources
//
// Raft §8 (client interaction) and thesis §6.3 (linearizable semantics: sessions
// and serial numbers), of which the windows are a form; etcd API guarantees;
// etcd issue 15247 (leases revoked by a deposed leader).
package state

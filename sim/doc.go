// Package sim runs a whole Holdfast cluster on one goroutine, in virtual time,
// and breaks everything around it.
//
// The members are the real ones: the same replica.Replica that the server
// drives, with its raft, log, snapshots, state machine and watch hub. What is
// simulated is what a test can't otherwise command: the clock, the network, the
// disks, the scheduler, the power, the operators, and the clients. All of that
// is drawn from one seed, so a run can be had again, event by event, and a
// failure that took a night to find takes a second to look at.
//
// # How a run goes
//
// A World is a heap of events, ordered by virtual time (µs) and then by the
// order of their making. It takes the first, moves the clock there, runs it, and
// so on. A member is three actors (core, log, apply); each has a queue. An event
// in the queue wakes its actor; a little later it takes what has gathered, and
// again a drawn time later its output exists: frames go to the network, events
// to other queues, jobs and timers to the heap.
//
//	0.118230 n1  actor   log: Persist{term 3, vote n1}     ← bytes are on the disk
//	0.119017 n1  output  Persisted                         ← raft hears of it
//
// A power loss between the two lines leaves a vote on the disk that nobody was
// ever told of. One inside the first line leaves half of it. Both happen.
//
// The phases are warm-up, chaos, converge and blackout. In the third no fault is
// left (or, in a quarter of the runs, a minority stays broken for good and what
// is left must do without it) and the cluster has to come back: elect, accept
// writes, bring all to the same index and hash, deliver every event, expire
// every lease. In the last one all members lose power at once and must come back
// by themselves once more.
//
// Seeds differ in kind, not only in luck: each switches every fault on or off,
// and draws sizes and limits (Plan). Tiny segments, batches of one command, one
// message in flight or a snapshot every few entries make rare paths common, and
// all of them are settings of the production code; none of it asks whether it is
// being tested.
//
// # What is broken
//
//   - Network (network.go, fault_network.go): delay, loss, duplicates, reordering
//     over seconds, flipped and cut frames, entries and chunks that were damaged
//     before they got their frame (misframed.go), partitions, one-way and bridge and
//     ring cuts, flapping links, slow links, clients cut off from a member.
//     Frames travel as bytes through the real codec; snapshots as chunks.
//   - Disk (node.go, internal/disk.Mem): after a power loss each un-synced write
//     is kept, lost or torn by the sector, in any subset; names may be lost until
//     their directory is synced. The power may go at the k-th operation, also
//     during recovery. Syncs take drawn times, now and then very long ones.
//   - Disk errors (disk.go, fault_disk.go): operations fail, once or for a while;
//     a failed sync loses what it was to keep, though the next one succeeds;
//     room runs out; the file system becomes read-only; a sync never returns.
//     The process gives up, is started again, and must not have lied meanwhile.
//   - Damage (damage.go, fault_damage.go): records rot, by class; blocks land in
//     the wrong place; files vanish or lose their end; writes are acknowledged and
//     lost; reads come from elsewhere; a whole disk is wiped, or exchanged for an
//     older copy of itself (action_old.go). At most a minority is
//     hit (the atlas: fault_damage.go), and the member must notice and stop, to be
//     replaced. In a few runs any number is hit; then all may stop, none may lie.
//   - Process (fault_process.go): kill, restart storms, pauses of a whole member
//     or of one of its actors, all machines at once, clocks that run at different
//     speeds.
//   - People (fault_members.go): leadership transfers; learners added, promoted,
//     demoted, removed; the leader removed; replacements in one joint change.
//   - Clients (client.go, watcher.go): requests and answers lost, members
//     switched, slow watchers, streams resumed elsewhere; in some runs they have
//     names, and an administrator changes what they may (users.go).
//
// # What is checked
//
// Each check_*.go is one property, named by its id in the invariant table.
//
// (The whole table, with when each is asked, stands in README.md.)
//
//	R1 election safety · R2 one durable vote a term · R3 leader append-only ·
//	R4 log matching · R5 leader completeness · R6 state machine safety ·
//	R7 committed is durable · R8 nothing goes back · R9 configurations follow
//	each other safely · R10 acknowledged writes are there, once; refused ones are not
//	M1 equal index, equal state · M2 equality with a model · C1 linearizable ·
//	C2 reads at a revision · K1 locks · W1–W9 watches · L1–L4 leases · S1 S2 recovery and
//	transport lose and invent nothing · S3 a failed sync is final · V1 it comes back ·
//	V2 stable under permanent cuts · V3 bounded terms · V4 bounded work · V5 nobody waits at the end ·
//	A1 nobody sees what he may not
//
// Three things make them strong. The shadow (shadow.go) is what each member must
// find on its disk, built from completed syncs only: what a member says is
// compared with it at the moment it says it, and what recovery finds at every
// restart. The oracle (oracle.go) is the one log: the first member to apply an
// index defines it for all, and a model of its own, which shares no code with
// mvcc or server/state, says what every reply must be. And package linearizability
// judges the clients' history afterwards by means of its own. It gets that history
// and two things from the oracle: the list of all changes, which says what
// operations without a clear answer did and must fit all the others, and which
// writes without a clear answer never took effect; those are left out, for they explain nothing and make
// every search longer (history.go, vanished). So it is a second opinion on answers,
// order, time and watches, not on whether the oracle's log is the true one: that is
// what R1–R9 are for.
//
// Whether the checks see is itself tested: sim/mutants plants known mistakes.
//
// # What is left out
//
// Nodes are started by the simulator's own operators, so a member's command line
// and its first contact with a cluster are the end-to-end tests' matter, as are
// gRPC, TLS and real sockets. Time is a number here: a bug that needs two threads
// at once in one actor's memory is the race detector's to find.
//
// A clock that is set, an hour forward or back, is not simulated, for it reaches
// nothing that runs here. Members see ticks; the server makes them with a ticker,
// which counts by the monotonic clock, gives one tick after whatever gap, and whose
// ticks are dropped where too many wait (the same as here: Node.tick). What a
// monotonic clock can do, to run fast or slow or stand still, is drawn. The wall
// clock's few readers are listed, with reasons, by a test of internal/lint: ids,
// gauges, certificates, and the end of a JWT, which server/token tests.
//
// An old disk comes back only where each of the others has on its own disk what
// tells it from the present one: nobody else could know (raft/doc.go). Damaged logs
// don't heal from peers yet (log-format, steps 9 and 10), so a damaged member stops
// and is replaced.
//
// # Sources
//
// FoundationDB's simulation ("FoundationDB: A Distributed Unbundled Transactional
// Key Value Store", SIGMOD 2021), TigerBeetle's VOPR, "All File Systems Are Not
// Created Equal" (OSDI 2014) for what disks do to un-synced writes, "Swarm
// Testing" (ISSTA 2012), Ongaro's thesis for the properties.
package sim

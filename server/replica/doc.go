// Package replica joins raft, the log, snapshots and the state machine into
// one member of a cluster: events in, effects out.
//
// # Three actors
//
// A Replica is three state machines that exchange messages and share nothing.
// The server gives each a goroutine and a queue; the simulator runs each as
// events on its heap, decides how long the work takes and whether it survives
// a crash. The code is the same, and so are its bugs.
//
//	clients ─Submit─▶ ┌──────┐ ─persist─▶ ┌─────┐
//	peers  ─Frame──▶  │ core │ ◀persisted─ │ log │──▶ disk
//	ticks  ────────▶  │ raft │             └─────┘
//	                  │      │ ─entries─▶ ┌───────┐──▶ answers, watch events
//	frames to peers ◀─└──────┘ ◀─applied─ │ apply │──▶ views for readers
//	                                      └───────┘
//
// The core hands out work only against credit: one write to the log at a time,
// so many bytes to apply. So no queue between the actors can grow without
// bound and no send ever blocks.
//
// # One write, step by step
//
// A client of member 2 puts a key while member 1 leads. Submit gives the
// request to member 2's core, which gathers all that came since its last Flush
// and sends them to member 1 in one frame; each carries its RequestID {member,
// incarnation, boot, sequence}. Member 1 packs everything it has, its own
// clients' requests too, into one entry and proposes it. Raft hands out
// AppendEntries for the followers and a write for the log at the same moment
// (thesis §10.2.1). While the disks sync, the next requests gather: that is
// group commit, and it needs no timer. Once a majority is durable the entry is
// committed, all members apply it, and member 2's apply actor finds its own
// RequestID in it and answers its client.
//
// # At most once
//
// What was sent to the leader may be lost with the leader, so the client is
// told "timed out": it may have happened. The network may also deliver a frame
// twice; the state machine keeps a window of sequence numbers for each member
// and applies each request once. The core keeps the requests that wait within
// that window (Config.PendingMax).
//
// # Reads
//
// A linearizable read needs proof that its member, or the leader it asks, still
// leads after the read came: one round of heartbeats for all reads that wait
// (ReadIndex, thesis §6.4). Then it waits until that index is applied and runs
// on its caller's goroutine, on an immutable view. Keep-alives of leases use
// the same rounds, since only the leader of now may promise time.
//
// # Leases
//
// The replicated state knows that a lease exists, its TTL and its keys. When it
// ends is decided by the leader alone (lessor), in ticks, and becomes a fact
// through the log: a revocation that carries the leader's term and is void
// under another leader.
//
// # Clocks
//
// Each actor counts the ticks that reach it, and a driver may drop those that an
// actor is too busy for. So the counts drift apart, and a tick never travels
// alone: whoever sends one says what his clock shows, and the receiver counts
// from there (Apply.fromCore). The way between them counts as no time, which
// lets a lease end late, never early.
//
// # Full disks
//
// The log keeps the next segment ready, as a reserve. When a full disk refuses
// the one after and half the reserve is used, the core admits only what helps:
// alarms, revocations, compactions, configurations. Should a write find no room
// at all (a follower takes what its leader sends), the log keeps it and tries
// again each second; nothing is acknowledged meanwhile, and votes that need the
// disk wait too. A snapshot without room is given up and begun again later.
//
// # What is left out
//
// Reads by leader lease (thesis §6.4.1) are not here: they rest on bounded
// clock drift. Healing a damaged log from peers is prepared for in the log's
// format but not done: a member that finds damage stops.
//
// Sources: Ongaro, "Consensus: Bridging Theory and Practice" (thesis), 2014,
// §6.4, §10.2; etcd's documentation of its API guarantees.
package replica

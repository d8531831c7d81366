// Package raft is the Raft consensus protocol as a pure state machine: it
// decides, and somebody else acts.
//
// A Node has no goroutine, clock, disk or network. Its methods are what can
// happen (a tick, a message, a proposal, "write 7 is durable"); Output is what
// must follow (write this, send those now, send these after the write, apply up
// to here). The same inputs and the same seed give the same outputs, so the
// server and the simulator drive the very same code, and a failure replays.
//
// # What it guarantees
//
// Raft's Figure 3, of all members together:
//
//   - Election Safety: at most one leader in a term.
//   - Leader Append-Only: a leader never changes or drops entries of its log.
//   - Log Matching: logs that hold the same EntryID are equal up to it.
//   - Leader Completeness: a committed entry is in the log of every later leader.
//   - State Machine Safety: no two members apply different entries at an index.
//
// and beyond it:
//
//   - Committed is durable: what a member learns to be committed lies on the disks
//     of a quorum.
//   - Linearizable reads: a read that is answered with index i began when nothing
//     above i was committed, however messages were delayed or repeated.
//   - A member that lost its disk doesn't vote or count under its old name.
//   - With a connected majority there is a leader after a few election timeouts,
//     also while other links are broken in one direction or at random.
//
// It assumes that a disk keeps what it acknowledged, that messages may be lost,
// delayed, repeated and reordered but are not forged, and that time passes at
// about the same rate everywhere. Safety needs nothing of the last one.
//
// # A small example
//
// Three members, n1 leads term 2. A client's command becomes entry 5:
//
//	n1  Propose("put k v")               → EntryID 5@2
//	n1  Output: Send    n1@2 → n2 AppendEntries prev=4@2 [5@2] commit=4
//	                    n1@2 → n3 AppendEntries prev=4@2 [5@2] commit=4
//	            Persist write 9: [5@2]               its own disk, meanwhile
//	n2  Receive → Output: Persist write 7: [5@2]
//	                      After   n2@2 → n1 AppendEntriesReply match=5
//	n2  Persisted(7)                                 now the reply leaves
//	n1  Receive(reply)                               n2 has 5; n1's disk is slow
//	n1  Persisted(9)                                 n1 has it too: two of three
//	n1  Output: Apply [5@2]; Send AppendEntries prev=5@2 [] commit=5 to n2 and n3
//
// testdata/scripts holds more than eighty such stories, one for each rule, and
// script_test.go the commands they are told in.
//
// # Elections (election.go, vote.go)
//
// A follower that hears no leader for a randomised time asks for pre-votes: would
// you vote for me in the next term (thesis §9.6)? Nothing changes by asking, so a
// member that was cut off raises no term and deposes nobody on its return. With a
// majority it becomes a candidate, begins the term and asks for votes. A vote is
// given once a term and only to a log at least as up to date (§5.4.1). Term and
// vote are durable before they are told to anybody, one's own vote included.
//
// A voter that hears a live leader refuses both questions without raising its term
// (thesis §4.2.3), unless the leader itself handed over. In return a leader that
// doesn't hear a quorum for an election timeout steps down (CheckQuorum, thesis
// §6.2) and stops its heartbeats, else it would keep a part of the cluster waiting
// for ever (openraft #2080). Who is behind in term is always answered with the
// term, never with silence (etcd #8243, #8501).
//
// PeerClosed shortens the wait when the leader's process is known to be gone: the
// voters then campaign one after the other in the order of their ids.
//
// # Replication (replicate.go, append.go, progress.go)
//
// The leader knows each member as Probe (where do our logs agree?), Replicate (in
// step: a pipeline, bounded in messages and bytes) or SnapshotTransfer. A refusal
// carries the follower's last entry whose term is not above that of the leader's
// question; the leader looks for its own last entry not above that; so a question
// skips a whole term on either side. replicate_figure_7.txt shows the paper's six
// crooked logs straightened by one question each.
//
// An entry is committed when a quorum holds it durably and it is of the leader's own
// term (§5.4.2); the leader's copy counts like any other, when its write is done.
// Every term begins with an empty entry, so there is soon one to count.
//
// # The conversation with the disk (persist.go)
//
// One write is under way at a time; what comes meanwhile collects into the next: group
// commit without a timer. Writes are numbered, and a number, not an index, is
// acknowledged:
//
//	write 3: [2@1 3@1]  on its way
//	a new leader replaces 2@1 and 3@1 by 2@2 in memory
//	Persisted(3)        → vouches for nothing above 1
//	write 4: cut at 2, then [2@2]
//	Persisted(4)        → 2@2 is durable
//
// "Index 2 is durable" would have vouched for 2@2 too early. The commit index alone is
// written at most once a heartbeat interval (Persist.MustSync is false): losing it
// costs nothing but the time to hear it again.
//
// Committed entries are applied even if they are not durable here: a quorum has them.
// So a snapshot must not reach past Status.Persisted (Compact panics).
//
// # The log in memory (log.go, terms.go, tail.go)
//
// Raft keeps the identity of every entry as a table of terms, and a bounded tail of the
// entries themselves; what isn't applied or durable always stays. Older entries are the
// driver's: Output.Load asks for them, Loaded answers, for followers that are behind
// and for the state machine after a start. If the log was compacted there the member
// needs a snapshot.
//
// # Reads (read.go)
//
// A read costs no entry: the leader notes its commit index, learns from a quorum that
// it still led afterwards, and answers with the index (thesis §6.4). All reads that wait
// share one round, numbered within the term; an echo counts for its round and earlier
// ones only. Nothing is answered before an entry of the term is committed. Followers and
// learners ask their leader. When the leader changes all questions fail, and every retry
// has an id that was never used before (etcd #20418).
//
// # Members (configuration.go, membership.go, incarnation.go)
//
// A change of voters goes through a joint configuration in which the old and the new
// majority must both agree (§6), then the leader appends the final one by itself, whoever
// began the change. Changes of learners, addresses and incarnations take one entry. A
// configuration is in force from the moment it is appended and is rolled back with its
// entry. One change at a time, and none before the term's first commit (the flaw that
// Ongaro reported in 2015: config_bug_2015.txt).
//
// Since a configuration needs no applying there is no moment at which a member knows of a
// committed configuration but acts by an older one: etcd #7280 has no place here.
//
// An incarnation is drawn when a member first starts on an empty disk. The first leader
// binds all that it hears of, by an entry. Votes, acknowledgements and echoes of another
// incarnation don't count, and its questions are refused. Until one is bound the first
// that was heard counts. Messages that only a leader sends are taken from any: a quorum has
// elected it, perhaps under a configuration that it is about to tell us. A voter can't be
// bound anew; it is made a learner, bound, and promoted.
//
// # Disks that have forgotten (life.go)
//
// An incarnation tells a wiped disk, not one that was exchanged for an older copy of
// itself. So every message names the life that it comes from: how often the member was
// started, a nonce of this start, and the durable term and last index that the start found.
// Each member remembers of each other the last life and the highest position heard of it
// (term, and what was acknowledged in that term), also on its disk. A later life that
// began with less, or two of one count, prove the exchange: nothing that this incarnation
// says counts any more, nor what it acknowledged, and it is told (Disown), falls silent and
// asks its driver to end it. A message of an earlier life may only be late; it is dropped
// and answered, but proves nothing. The first tick of a life announces it to all members.
//
// What that can't see: who has heard nothing of what was forgotten can't know of it, and
// counts the member. With an old disk, and with those away to whom it had promised, a
// quorum can still be made of the forgetful (any system without a third copy of each
// promise has that gap); likewise if all disks are old. Positions are kept on disk once a
// second, lives, terms and verdicts at once but not before anybody acts on them.
//
// # Where this departs from the paper, and why
//
//   - Heartbeats are messages of their own, not empty AppendEntries: they carry the round
//     for reads, are answered without waiting for the disk, and say the commit index only
//     as far as the member is known to match.
//   - Answers wait for the disk apart from the step that decided them (Persist.After): the
//     paper's "before responding" as a list.
//   - A snapshot's file is the driver's affair; raft sees its metadata before (SendSnapshot)
//     and after (InstallSnapshot) the transfer.
//   - A removed member goes on receiving the log until it has heard that its removal is
//     committed, or for two election timeouts: it should know why nobody speaks to it.
//   - A leader that removes itself asks the best voter to campaign at once when it steps
//     down (thesis §4.2.2 lets the cluster wait for a timeout).
//   - A member whose removal is appended but not committed may campaign (thesis §4.2.2):
//     the random test found a two-voter change that could not end otherwise.
//   - A round of reads may be answered by the echo of a later heartbeat.
//
// # What is left out, and what that costs
//
//   - Lease reads: every linearizable read costs a round trip. The driver may build them
//     on rounds, with its clock assumption.
//   - Forwarding of proposals: a follower refuses them; the driver forwards.
//   - A snapshot that arrives after the term has changed is dropped; the new leader sends
//     one again.
//   - Snapshots come from the leader only.
//   - Learners are promoted when asked, never by themselves.
//   - Repair of a damaged log from peers: the driver must not boot a Node on a log with
//     holes.
//   - Priorities and witnesses.
//
// # Reading order
//
// types.go and api.go (the words), node.go and dispatch.go (who handles what), election.go,
// vote.go, append.go, replicate.go, persist.go; then the rest as needed. invariants.go states
// what holds between any two calls.
//
// # Sources
//
//   - D. Ongaro, J. Ousterhout: In Search of an Understandable Consensus Algorithm
//     (extended version), 2014. Sections are cited as §5.4.2.
//   - D. Ongaro: Consensus: Bridging Theory and Practice, 2014. Cited as thesis §6.4.
//   - D. Ongaro: bug in single-server membership changes, raft-dev, July 2015.
//   - LogCabin's RaftConsensusInvariants.cc for the idea of state and step checks.
//   - The issues of etcd, openraft and others that are named where they taught something.
package raft

// Package wal is the log on disk: what a member has promised, written so that a
// power loss loses nothing that was acknowledged, and so that one fault of the
// disk never makes a member forget silently.
//
// # What the disk may do, what we promise
//
// A write that was not synced may be kept, lost or torn at any 512-byte sector,
// in any order and any subset. A synced one stays, unless the disk is faulty. A
// name is durable once its directory was synced. After a failed sync the file's
// state is unknown. After a process was killed, what is read back may lie in
// the page cache only.
//
// On that we promise:
//
//  1. What Append acknowledged is there after any crash, and what it did not
//     acknowledge is there as a whole or not at all.
//  2. Term and vote never fall back behind what was acknowledged.
//  3. A tail that was being written when the machine stopped is cut, and the
//     member goes on. Durable data that was damaged is told apart from it by
//     proof, and then the log refuses to open: file, offset, entries, what to do.
//  4. What Open returns is durable, even if it lay in the page cache only.
//
// # The files
//
//	super                  who we are, where the log starts, how far it is durable
//	0000000000000007.wal   segments, by number; some may be prepared ahead
//	0000000000000003.spare segments that wait to be recycled
//	0000000000000009.new   a segment that is being made
//	LOCK                   held with flock while the log is open
//
// A segment is a header block and then batches. One batch is one group commit:
// one write, one sync. It starts and ends on a 4 KiB block, so a synced block is
// never written again, and a torn write never touches an older batch.
//
//	segment 7                                                    segment 8
//	┌────────┬──────────┬──────────┬────────┬─────────┬───────┐  ┌────────┬────────
//	│ header │ open     │ append   │ mark   │ append  │ zeros │  │ header │ open …
//	│ salt   │ → 6:8192 │ 41..43   │        │ 44..90  │       │  │ salt'  │ → 7:…
//	└────────┴──────────┴──────────┴────────┴─────────┴───────┘  └────────┴────────
//	          link to where         proves that      ▲
//	          the log goes on from  41..43 was synced└ written, proven by nothing yet
//
// The drawings of the blocks stand beside their encoders: segment.go, header.go,
// batch.go, super.go. In short: a batch's 128-byte header is repeated in its
// last sector as a trailer, so no single bad sector hides what it held; between
// them lie the identity table (index, term, type, length, CRC of each entry),
// under a CRC of its own, and the entries. The header says which segment and
// block it belongs to, the chain value over all batches before, term, vote and
// commit, and the position that was known to be synced when it was written.
//
// The header's magic is xored with the segment's random salt. A recycled segment
// is full of old batches with right CRCs; under the new salt none is valid.
//
// # Torn or corrupt: an example
//
// Suppose recovery reads the segment above, and the batch 41..43 fails its CRC.
// Was it being written when the power went, or was it durable and has rotted
// since? Behind it lies a mark whose synced position is the end of 41..43. The
// mark was written after that sync completed, so the batch was durable: it is
// corrupt, and 41..43 are named. Now suppose 44..90 fails. Nothing says that it
// was ever synced, so it is a torn tail and is cut. Nobody misses it: it was not
// acknowledged. That a later batch can be read proves nothing, for un-synced
// writes persist in any order.
//
// Proof comes from three places: the synced position of a later batch; the floor
// in super, written at most a second after the last sync and at a clean stop; a
// link, since a segment is left only when all before the link was synced. So
// that the newest batch doesn't stay without proof, the owner calls Idle when
// nothing came for 20 ms, and a mark is written. Within that window the rot of
// the very last batch can't be told from a torn write; this is what the scheme
// can't do.
//
// For a term or a vote there is no such window: the batch that brings one is
// followed by its mark at once, which repeats it, and only then is it
// acknowledged. Whichever of the two the disk loses, the other tells. This costs
// one more sync when a term begins, and nothing else does. For entries it would
// cost one for every batch; of them the other members have copies.
//
// The newest batch proves the one before it, and may be the only thing that does.
// So it is believed together with its own claim: if the batch before it can't be
// read, then that one was durable, and is judged as corrupt, rather than both cut
// as torn. And a newest segment that has lost its end, which its header shows, is
// never a torn tail: files have their full size before they get their name.
//
// # Recovery
//
// Open reads super (four blocks, two for each version, one pair at a time:
// super.go), walks the links from the newest segment down to the log's start
// (survey.go), reads the batches in order and judges what can't be read
// (replay.go). A damaged batch that was superseded later, or whose loss the
// headers around show to be without consequence, costs nothing; it is listed in
// Recovered.Damage. Everything else is a Fault, by identity where the table,
// the header or the trailer still tell it.
//
// Then a fresh segment begins (open.go). Its first batch links to the last
// proven position and repeats the net effect of all that is valid behind it: it
// may lie in the page cache only, yet have been acknowledged before the process
// was killed. It is one batch, valid as a whole or not at all; until it is, the
// older files stand as they were, and a crash during recovery only means another
// recovery. If the newest segment holds little, it is repeated as a whole and
// dropped, so that a process that restarts in a circle doesn't fill the disk.
//
// # Failing disks
//
// A failed write or sync of the log or of super poisons the Log: each call
// returns ErrFailed, nothing is written or synced again, and the process must
// end. Retrying a sync is the classic mistake: the kernel marks the pages clean,
// the second sync succeeds, and the data is gone (ATC'20; PostgreSQL's fsync
// bug of 2018).
//
// A full disk is met only where room is made: segments are prepared ahead, so
// the present and the next one are the reserve. While a preparation fails for
// want of room, Stats tells so and appends go on into the reserve; after it they
// get ErrNoSpace, and nothing is lost. A start needs a fresh segment, too, and on
// a full disk takes the one that its last life prepared and never began.
//
// # Who does what
//
// The Log belongs to one goroutine and has no lock. Slow work that needn't be
// waited for is handed out as a Job: writing super, preparing the next segment
// in steps of 256 KiB, recycling. A job touches files of its own; when it is
// over it comes back by Finish. The simulator runs the same steps on its heap.
//
//	for {                                   // the owner
//		err := log.Append(persist)          // one write, one sync
//		...                                 // acknowledge
//		for j := log.Job(); j != nil; j = log.Job() {
//			worker <- j                     // j.Step() until true, then back here
//		}
//	}                                       // log.Finish(j) for each that came back
//
// # Why not otherwise
//
//   - Records that flow across blocks (LevelDB, etcd) waste nothing, but rewrite
//     the last block on each sync, and a torn one takes an acknowledged record
//     along. Padding to 4 KiB costs space that a group commit fills anyway.
//   - "Zeros are the end" (etcd) loses durable entries silently when a block is
//     zeroed; "only the last batch may be bad" (raft-wal) refuses to start after a
//     power loss that kept a later write and lost an earlier one. The synced
//     position is Pebble's idea; the identities apart from the entries are from
//     "Protocol-Aware Recovery" (FAST'18).
//   - Writing into zero-filled or recycled blocks rather than growing the file:
//     the file system has no metadata to write, so fdatasync takes about half.
//   - The mark is synced by Idle itself. Syncing it beside an Append on another
//     thread would save the append one sync every 20 ms of idleness, but of two
//     syncs of one file only one may be told of a failed write.
//
// # Left out, and what that costs
//
// Healing from peers (log-format, steps 9 and 10; of step 11 an old disk is found
// and stops, but isn't made a learner): the format has repair batches
// and recovery reads them, but nothing writes them yet, so a corrupt member
// stays down. Room for a snapshot is not reserved here. While super's next
// version is not written (its job begins with the segment), the deletion of the
// newest segment as a whole, or all but its header, goes unnoticed.
//
// Sources: Raft §5; "Can Applications Recover from fsync Failures?" (ATC'20);
// "All File Systems Are Not Created Equal" (OSDI'14); "Protocol-Aware Recovery
// for Consensus-Based Storage" (FAST'18).
package wal

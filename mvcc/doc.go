// Package mvcc is the key-value state of Holdfast: every version of every key
// since the last compaction, in memory, with etcd's rules to the letter.
//
// # What it guarantees
//
//   - A transaction takes effect as a whole or not at all, and everything that
//     it writes bears one main revision. What changes nothing leaves the
//     revision as it was.
//   - Every revision from the compacted one to the present can be read, and says
//     the same for as long as it can be.
//   - Who holds a [View] sees one moment for ever, on any goroutine; the writer
//     waits for no reader and no watcher.
//   - A watcher gets every event that it asked for, once, in order, whole
//     revisions together; or it is told that compaction has passed it.
//   - Commands have one outcome on every replica: no clock, no randomness, no
//     map order, no goroutine. How far physical compaction has come shows in no
//     answer, no hash and no size.
//
// # Versions over time
//
// Seven transactions on an empty store, which stands at revision 1. Each column
// is a revision; a number is the version that a put made, † a tombstone.
//
//	revision   2     3     4     5     6     7     8
//	apple      1 ───────── 2 ───────── †
//	banana           1 ───────── 2 ────────────────
//	cherry                                   1 ────
//	damson                                         1
//
// Read it from left to right for one key: apple was created at 2, changed at 4
// (create revision 2, mod revision 4, version 2), deleted at 6 and doesn't exist
// any more. Read it from top to bottom for one revision: at 5 there are apple and
// banana, both at version 2; at 6 banana alone; at 8 banana, cherry and damson.
//
// Compact(6) now forgets what only revisions below 6 could see. Of each key the
// newest version at or below 6 stays, unless it is a tombstone:
//
//	before     apple 2 4 †6     banana 3 5     cherry 7     damson 8
//	after      apple     †6     banana   5     cherry 7     damson 8
//
// Apple's tombstone stays although apple is gone, because it lies at exactly
// revision 6: a watch may still ask for everything from 6 on and must be told
// of the delete (etcd #18089, #19179). The next compaction takes it.
//
// # How it is built
//
//	      index (tree)                            history (directory)
//	┌──────────────────────┐            ┌─────────┬─────────┬─────────────┐
//	│ apple  → newest ─────┼──────┐     │ chunk 0 │ chunk 1 │ chunk 2 …   │
//	│          older [· ·]─┼──┐   │     └────┬────┴────┬────┴──────┬──────┘
//	│ banana → newest      │  │   └──────────┼─────────┼──────▶ apple@6
//	└──────────────────────┘  └──────────────┴▶ apple@2, apple@4
//
// There is one copy of every key and value: a record in a chunk, which is an
// array of bytes without pointers (chunk.go draws it). Records follow each other
// in revision order, so the list of chunks is history: watchers, hashes and
// snapshots read it from front to back. An item of the index (item.go) is a
// pointer to the key's newest record and a list of the older ones, so a read at
// revision 5 is a search in the tree, a search in that list, and a record.
//
// Nothing that was published changes. A put appends a record and replaces the
// item by one whose list of older versions shares the old one's array; whoever
// holds the old item sees its shorter length. The tree (index.go) is
// copy-on-write: a clone shares all nodes, and the writer copies a node when it
// first changes it after a clone. So a [View] is a few words, and only the first
// writes after one pay. Nodes count the keys that exist below them, so that a
// count over a million keys walks two paths.
//
// # Two transactions
//
// A client wants to create a lock: if create_revision("lock") = 0 then put, else
// range. Txn first evaluates the comparison, and those of transactions nested in
// the branch taken, against the state before; then checks all that could fail on
// the path (leases, what ignore_value needs, revisions of ranges); then runs it.
// The first client finds no key, its put becomes revision r+1 and the result
// says so. The second finds create_revision r+1, reads, and as a read changes
// nothing the revision stays r+1. Had its branch held a range at a compacted
// revision, the answer would have been ErrCompacted on every replica, before any
// write (etcd #18667).
//
// # Compaction
//
// [Store.Compact] moves a number: at once no reader gets below it. The work comes
// in slices through [Store.CompactStep]: hash the history as it was (HashKV must
// answer for it later), drop from the index what the changes since the last
// compaction have killed, and merge chunks that are less than half alive into
// new ones, pointing items at the copies. The cost is what changed since the
// last compaction, not what is stored. A view that was taken before keeps its
// items, and its chunks, until it is dropped.
//
// # Watching
//
// The [Hub] has no queues. A watcher is a revision, its cursor, and history is
// the queue of all. Publish hands the newest changes to everyone who is up to
// date and whose stream has credit; who has none falls behind, which is to say
// that its cursor stays. Step lets those who are behind read on from history, a
// stretch at a time that all who are near take part in. So a slow client costs
// its cursor, loses nothing (etcd #17529), and the hand-over from catching up to
// live is an assignment. After a snapshot was installed every watcher goes on
// from its cursor on the new history (etcd #15271).
//
// # Hashes
//
// [View.HashKV] is etcd's, byte for byte, so that Holdfast can be compared with
// etcd revision by revision; hashkv.go has the recipe with its corners.
// [Store.Hash] is our own for comparing replicas: it follows logical effects one
// by one and costs nothing to ask for.
//
// # Departures from etcd, and why
//
//   - etcd keeps records in a B+ tree on disk and an index of revisions in
//     memory; here everything is in memory and the log makes it durable. The
//     cost: data must fit, about 60 bytes a version beyond key and value.
//   - etcd walks all of its index for a compaction and stops readers for parts
//     of it; here changes are walked, in slices.
//   - etcd leaves ties of a sorted range to its sort; here they stay in key
//     order.
//   - A delete of keys counts its tombstones towards [Store.Bytes] until
//     compaction reaches them; etcd counts pages.
//
// # What is left out
//
//   - Nodes of the tree are merged only when they are a quarter full: after a
//     great deletion in random places it may hold half-empty nodes, some bytes a
//     key, until keys come back.
//   - A key with very many versions since the last compaction pays for copying
//     their list, 24 bytes each, whenever one of them moves. The slices of
//     compaction count it; a list in blocks would avoid it.
//   - Writing one key twice in one transaction is refused before it gets here
//     ("duplicate key given in txn request"). Would it come, the later write wins.
//
// # Sources
//
// etcd: API guarantees (KV API guarantees and Watch API guarantees), the v3.7
// sources of server/storage/mvcc and server/etcdserver/txn for the rules, and
// the issues named above. Copy-on-write ownership by edition follows
// google/btree, which is this tree's oracle in the tests; counts in nodes are
// order-statistic trees (Cormen et al., chapter 14). Free-at-empty deletion:
// Johnson and Shasha, "B-Trees with Inserts and Deletes: Why Free-at-Empty Is
// Better than Merge-at-Half" (1993).
package mvcc

// Package snapshot writes, reads and receives the files that hold a whole state
// up to one entry of the log.
//
// A log alone would grow for ever, and a member that was away for long would
// have to replay all of it. A snapshot stands for the log's beginning: once it
// is durable, the entries up to its index may be forgotten (Raft §7). So a
// snapshot must be as trustworthy as the log that it replaces, and writing one
// must not be felt by those who write at the same time.
//
// # What is promised
//
//  1. A file whose name ends in ".snap" is a whole snapshot, whenever power was
//     lost: the name is given after the content was synced, and the directory
//     is synced before anyone is told.
//  2. What is loaded is what was written. Every byte is covered by a chain of
//     hashes; damage, truncation, or a part of another file gives an error that
//     names file and offset, never records. (A flipped bit is found for
//     certain in practice, not against someone who computes hashes: files are
//     protected by their mode, transfers by TLS.)
//  3. A file can't make its reader take more memory than a few blocks, whatever
//     it says of its sizes.
//  4. The same content gives the same bytes, for one version of the zstd
//     library.
//  5. A transfer that was interrupted goes on at the last part that proved
//     sound, even after a crash of the receiver.
//
// # How it works
//
// The package knows nothing of what it stores. A Source yields records, each in
// a named section; Load hands them back in the same order. Say a state has two
// members and three keys:
//
//	Source                   file
//	────────────────────     ─────────────────────────────────────────────────
//	meta     {…}             header   cluster 1, up to 20@2, configuration
//	members  {1 …}           block 0  meta      zstd( len{…} )
//	members  {2 …}           block 1  members   zstd( len{1 …} len{2 …} )
//	kv       {a …}           block 2  kv        zstd( len{a …} len{b …} len{c …} )
//	kv       {b …}           footer   state hash, sizes, sums of each section
//	kv       {c …}
//
//	0000000000000014-0000000000000002.snap
//
// A Writer is a job: each Step fills and writes one block of 256 KiB, or makes
// one call of the file system, and returns. A worker runs the steps while the
// apply actor goes on; a simulator runs them on its heap and pulls the plug
// between any two. What is written was frozen by the Source's view when the job
// began, so nothing has to wait. A sync after every 4 MiB keeps the last one,
// and with it the log's next one, short.
//
// A large file is loaded by two hands: the walk over block headers is cheap and
// serial, reading, hashing and decompressing a block is a task that a Runner may
// put on another goroutine, some blocks ahead. Records come out in order, so
// whatever is built from them doesn't depend on the Runner.
//
// Each part's hash covers the hash of the part before it. A receiver needs no
// more than that to check a block the moment it is whole, and the last hash
// names the file: a sender announces {last entry, size, digest}, and a partial
// file that is found at a start is walked from its beginning and cut where it
// stops to make sense.
//
// # Departures and why
//
// Raft's InstallSnapshot (Figure 13) carries the file in chunks through the
// protocol. Here chunks travel on a stream of their own (package transport), so
// that a snapshot never delays a heartbeat; the protocol hears of the file when
// it is complete and durable.
//
// The checksum is per block and chained, not one over the file: damage is
// located, a transfer can resume, verification is parallel. A chain of xxHash64
// is chosen over CRC-32C since a file is millions of times longer than a frame.
//
// Records may span blocks, so a block's size has a bound that doesn't depend on
// the largest record. The price is one copy of a record at each seam.
//
// # Sending
//
// A Sender checks the chain of hashes over what it reads, so that a file that has
// rotted is known for what it is before the peer finds out; the replica then writes
// another snapshot, of the same state if nothing has come since.
//
// # Left out, and the cost
//
// Incremental snapshots: each one is written whole, which costs its size in disk
// writes (a fourteenth to a fourth of the raw data). Encryption: use an encrypted
// file system. Deduplication between files: none.
//
// # Sources
//
// Raft §7 (log compaction); "All File Systems Are Not Created Equal" (OSDI 2014)
// on the order of writes, syncs and names; RFC 8878 (zstd); etcd's snap/db.go,
// which renames without a sync of the directory, for what to avoid.
package snapshot

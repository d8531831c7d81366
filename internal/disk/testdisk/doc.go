// Package testdisk makes a real disk behave as a bad one, so that a real process can be tortured.
//
// SIGKILL leaves the kernel's page cache alone: a server that never syncs survives it unharmed, and so a test that
// kills processes proves little. Two wrappers around any [disk.FS] mend that.
//
// [Volatile] keeps in the process's memory what was not synced and writes it to the real file when it is: now SIGKILL
// *is* a power loss. What the process wrote, truncated, created, renamed or removed and did not sync is gone; what
// it was just syncing is torn at any 512-byte sector; and some of what it did not sync is there all the same, any
// sectors of it, because a kernel also writes back by itself.
//
//	WriteAt ─▶ pages in memory ──SyncData──▶ file      (sectors in random order, now and then a pause between two)
//	Create, Rename, Remove ─▶ list ──SyncDir──▶ folder (in order; now and then some of them earlier)
//
// [Faulty] makes syncs slow, or never return, and fails writes and syncs with EIO or ENOSPC, for as long as a small
// control file says so. A test changes that file while the server runs.
//
// # How files without a durable name are kept
//
// A file that was created and whose folder was not synced must be able to hold synced data, and must be gone after
// a power loss. It lives under a name that begins with ".unnamed-", which List doesn't show; SyncDir gives it its
// name. Lock removes those that an earlier process left: who holds the lock owns the folder.
//
// # What is left out
//
// Names become durable in the order in which they were made, never in any subset as the simulator has it. A removed
// file is gone from the folder with the next SyncDir, not from the disk's free space. Reads are never damaged: bit
// rot is the simulator's. And a Volatile disk costs memory for all that is written between two syncs.
//
// This is for tests of the server as a process. Never store anything on it that you want to keep.
package testdisk

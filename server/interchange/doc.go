// Package interchange reads and writes etcd's database file, so that a cluster
// can move from etcd to Holdfast and back with everything that its clients can
// see: keys with their history and revisions, leases, users, roles, alarms.
//
// The file is a bbolt database. Maintenance.Snapshot streams one, etcdutl 3.7
// takes it (snapshot status, snapshot restore), and `etcdctl snapshot save`
// writes it with 32 bytes of SHA-256 behind it. Its buckets:
//
//	key              revision                        → KeyValue
//	lease            id, 8 bytes                     → Lease
//	alarm            AlarmMember                     → nothing
//	auth             authEnabled → 0 or 1 · authRevision → 8 bytes
//	authUsers        name                            → User
//	authRoles        name                            → Role
//	members          id in hex                       → JSON
//	members_removed  id in hex                       → "removed"
//	cluster          clusterVersion → "3.7.0"
//	meta             consistent_index, term → 8 bytes · storageVersion → "3.7.0"
//	                 confState → JSON · scheduledCompactRev, finishedCompactRev → revision
//
// Numbers are big-endian, messages are etcd's protobufs. A revision is
//
//	│ main, 8 bytes │ '_' │ sub, 8 bytes │ 't' if it is a tombstone │
//
// and the KeyValue of a tombstone holds the key only. A file that etcd wrote may
// hold history that a compaction has yet to remove; it is left out on reading.
//
// A file from elsewhere is not trusted: bbolt reads where its pages say, so they are
// all looked at before (see pages.go), which costs reading the file once more.
//
// What can't be carried over: raft's log, terms and members. A restored cluster
// is a new one, with an identity of its own, on either side.
//
// Sources: the schema as etcd 3.7.1's server/storage/schema has it, read and
// compared with files that it wrote.
package interchange

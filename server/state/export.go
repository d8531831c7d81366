package state

import (
	"encoding/binary"

	"github.com/holdfast-db/holdfast/mvcc"
	"github.com/holdfast-db/holdfast/server/auth"
)

// The sections of a snapshot, in file order, and their records (primitives:
// wire.go). A section without records is not there.
//
//	meta     version byte, applied, term, auth revision, auth enabled at uvarint,
//	         members known byte, hash fixed64
//	roles    one each: name bytes, then a permission: access byte, key, end bytes
//	users    one each: name bytes, flags, hash bytes, since uvarint, roles: count, …
//	members  one each: id, incarnation fixed64, flags, name, peer URLs, client URLs;
//	         then those that were removed
//	windows  one each: member, incarnation fixed64, boot, high uvarint, ring bytes
//	alarms   one each: member fixed64, kind byte
//	leases   one each: id, TTL, remaining varint, since uvarint
//	kv       first: revision, compact revision varint, keys, records uvarint,
//	         chain, live fixed64; then one a version, in order of revision:
//	         rank, main revision less the one before, sub, version uvarint,
//	         key bytes; with version > 0: main less create revision uvarint,
//	         lease varint, value bytes
//
// Which keys a lease has is not written: the newest versions say it.
const (
	sectionMeta    = "meta"
	sectionRoles   = "roles"
	sectionUsers   = "users"
	sectionMembers = "members"
	sectionWindows = "windows"
	sectionAlarms  = "alarms"
	sectionLeases  = "leases"
	sectionKV      = "kv"
)

// exportVersion is that of the records; the file around them has its own.
const exportVersion = 4

const (
	memberLearner byte = 1 << iota
	memberRemoved      // its id is all that is left of it
)

// Exporter yields the records of a snapshot, one a call, while the State goes
// on. It holds a view and copies of the request windows. It is a source of
// package snapshot.
type Exporter struct {
	view    *View
	hash    uint64
	known   bool
	members []memberRow // with windows; copies
	removed []uint64
	roles   []*auth.Role
	users   []*auth.User

	parts []func(e *Exporter, buf []byte) ([]byte, bool)
	names []string
	at    int // index of the record within its part

	leases []Lease // those left of a batch
	after  int64   // the last lease taken
	kv     *mvcc.Exporter
	main   int64 // of the last kv record
}

// Export freezes the present state for a snapshot. It costs what View and Hash
// cost and 8 KiB a member; the rest is done by Next, on any goroutine.
func (s *State) Export() *Exporter {
	e := &Exporter{view: s.View(), hash: s.Hash(), known: s.members.known, removed: s.members.removed}
	for _, row := range s.members.rows {
		frozen := *row
		frozen.window = row.window.clone()
		e.members = append(e.members, frozen)
	}
	e.roles, e.users = authRows(e.view.auth)
	e.names = []string{sectionMeta, sectionRoles, sectionUsers, sectionMembers, sectionWindows, sectionAlarms, sectionLeases, sectionKV}
	e.parts = []func(*Exporter, []byte) ([]byte, bool){
		(*Exporter).meta, (*Exporter).role, (*Exporter).user, (*Exporter).member, (*Exporter).window, (*Exporter).alarm, (*Exporter).lease, (*Exporter).version,
	}
	return e
}

// View is the state that is exported.
func (e *Exporter) View() *View { return e.view }

// Hash is the exported State's Hash.
func (e *Exporter) Hash() uint64 { return e.hash }

// Next appends the next record to buf and names its section; false after the
// last. The first call that meets keys sorts all of them by revision, which
// takes a fraction of a microsecond each.
func (e *Exporter) Next(buf []byte) (section string, record []byte, ok bool) {
	for len(e.parts) > 0 {
		if record, ok := e.parts[0](e, buf); ok {
			e.at++
			return e.names[0], record, true
		}
		e.parts, e.names, e.at = e.parts[1:], e.names[1:], 0
	}
	return "", nil, false
}

func (e *Exporter) meta(b []byte) ([]byte, bool) {
	if e.at > 0 {
		return nil, false
	}
	b = binary.AppendUvarint(append(b, exportVersion), e.view.applied)
	b = binary.AppendUvarint(b, e.view.term)
	b = binary.AppendUvarint(binary.AppendUvarint(b, e.view.auth.Revision()), e.view.auth.EnabledAt())
	b = appendBool(b, e.known)
	return binary.LittleEndian.AppendUint64(b, e.hash), true
}

func (e *Exporter) member(b []byte) ([]byte, bool) {
	if e.at >= len(e.members) {
		return e.removedMember(b)
	}
	m := &e.members[e.at]
	b = binary.LittleEndian.AppendUint64(b, m.ID)
	b = binary.LittleEndian.AppendUint64(b, m.incarnation)
	var flags byte
	if m.Learner {
		flags |= memberLearner
	}
	b = appendBytes(append(b, flags), m.Name)
	return appendStrings(appendStrings(b, m.PeerURLs), m.ClientURLs), true
}

func (e *Exporter) removedMember(b []byte) ([]byte, bool) {
	at := e.at - len(e.members)
	if at >= len(e.removed) {
		return nil, false
	}
	b = binary.LittleEndian.AppendUint64(b, e.removed[at])
	b = binary.LittleEndian.AppendUint64(b, 0)
	return append(b, memberRemoved, 0, 0, 0), true
}

// window skips members of whom nothing was heard and nothing is bound.
func (e *Exporter) window(b []byte) ([]byte, bool) {
	for ; e.at < len(e.members); e.at++ {
		if m := &e.members[e.at]; m.window != (window{}) {
			return m.window.append(binary.LittleEndian.AppendUint64(b, m.ID)), true
		}
	}
	return nil, false
}

func (w *window) append(b []byte) []byte {
	b = binary.LittleEndian.AppendUint64(b, w.incarnation)
	b = binary.AppendUvarint(binary.AppendUvarint(b, w.boot), w.high)
	if w.bits != nil {
		for _, word := range w.bits {
			b = binary.LittleEndian.AppendUint64(b, word)
		}
	}
	return b
}

func (e *Exporter) alarm(b []byte) ([]byte, bool) {
	if e.at == len(e.view.alarms) {
		return nil, false
	}
	a := e.view.alarms[e.at]
	return append(binary.LittleEndian.AppendUint64(b, a.Member), byte(a.Kind)), true
}

// leaseBatch leases are taken from the tree at a time.
const leaseBatch = 256

func (e *Exporter) lease(b []byte) ([]byte, bool) {
	if len(e.leases) == 0 {
		e.takeLeases()
	}
	if len(e.leases) == 0 {
		return nil, false
	}
	l := e.leases[0]
	e.leases = e.leases[1:]
	b = binary.AppendVarint(binary.AppendVarint(b, l.ID), l.TTL)
	return binary.AppendUvarint(binary.AppendVarint(b, l.Remaining), l.Since), true
}

func (e *Exporter) takeLeases() {
	batch := make([]Lease, 0, leaseBatch)
	take := func(l Lease) bool {
		if e.at == 0 || l.ID != e.after {
			batch = append(batch, l)
		}
		return len(batch) < leaseBatch
	}
	if e.at == 0 {
		e.view.leases.byID.Ascend(take)
	} else {
		e.view.leases.byID.AscendGreaterOrEqual(Lease{ID: e.after}, take)
	}
	if e.leases = batch; len(batch) > 0 {
		e.after = batch[len(batch)-1].ID
	}
}

func (e *Exporter) version(b []byte) ([]byte, bool) {
	if e.kv == nil {
		e.kv = e.view.KV.Exporter()
		return appendStoreMeta(b, e.kv.Meta()), true
	}
	r, ok := e.kv.Next()
	if !ok {
		return nil, false
	}
	b = appendVersion(b, &r, e.main)
	e.main = r.Revision.Main
	return b, true
}

func appendStoreMeta(b []byte, m mvcc.SnapshotMeta) []byte {
	b = binary.AppendVarint(binary.AppendVarint(b, m.Revision), m.CompactRevision)
	b = binary.AppendUvarint(binary.AppendUvarint(b, m.Keys), m.Records)
	return binary.LittleEndian.AppendUint64(binary.LittleEndian.AppendUint64(b, m.Chain), m.Live)
}

func appendVersion(b []byte, r *mvcc.Record, main int64) []byte {
	b = binary.AppendUvarint(b, r.Rank)
	b = binary.AppendUvarint(b, uint64(r.Revision.Main-main))
	b = binary.AppendUvarint(b, uint64(r.Revision.Sub))
	b = appendBytes(binary.AppendUvarint(b, uint64(r.Version)), r.Key)
	if r.Version == 0 {
		return b
	}
	b = binary.AppendUvarint(b, uint64(r.Revision.Main-r.CreateRevision))
	return appendBytes(binary.AppendVarint(b, r.Lease), r.Value)
}

package state

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"github.com/holdfast-db/holdfast/mvcc"
	"github.com/holdfast-db/holdfast/server/auth"
)

// ErrBadSnapshot is wrapped by what Loader finds wrong beyond single records.
var ErrBadSnapshot = errors.New("state: bad snapshot")

// Loader builds a State from an Exporter's records. It trusts nothing: the
// State that Finish returns satisfies all invariants and has the hash that was
// exported.
type Loader struct {
	state *State
	hash  uint64 // as exported
	begun bool   // meta has come
	kv    *mvcc.Loader
	main  int64 // of the last kv record
	// leased holds, by rank, the keys whose newest version so far has a lease.
	leased map[uint64]attachment

	authRevision, authEnabledAt uint64
	roles                       []*auth.Role
	users                       []*auth.User
}

// NewLoader begins a State with these options.
func NewLoader(o Options) *Loader {
	return &Loader{state: New(o), leased: map[uint64]attachment{}}
}

// Add takes the next record of a section, in the Exporter's order. The record
// isn't kept. Errors wrap ErrMalformed, ErrUnknownFormat or ErrBadSnapshot;
// after one the Loader is of no use.
func (l *Loader) Add(section string, record []byte) error {
	if l.begun == (section == sectionMeta) {
		return fmt.Errorf("%w: meta must come first and once, not %q", ErrBadSnapshot, section)
	}
	r := reader{b: record}
	var err error
	switch section {
	case sectionMeta:
		l.meta(&r)
	case sectionRoles:
		l.role(&r)
	case sectionUsers:
		l.user(&r)
	case sectionMembers:
		l.member(&r)
	case sectionWindows:
		err = l.window(&r)
	case sectionAlarms:
		err = l.alarm(&r)
	case sectionLeases:
		err = l.lease(&r)
	case sectionKV:
		return l.version(&r)
	default:
		return fmt.Errorf("%w: section %q", ErrUnknownFormat, section)
	}
	return cmp.Or(r.close(), err)
}

func (l *Loader) meta(r *reader) {
	if v := r.byte(); r.err == nil && v != exportVersion {
		r.unknown("snapshot version", uint64(v))
	}
	s := l.state
	s.applied, s.term = r.uvarint(), r.uvarint()
	l.authRevision, l.authEnabledAt = r.uvarint(), r.uvarint()
	s.members.known = r.bool()
	l.hash = r.fixed64()
	l.begun = true
}

// member takes a row; Finish sees to the order.
func (l *Loader) member(r *reader) {
	row := &memberRow{}
	row.ID, row.incarnation = r.fixed64(), r.fixed64()
	flags := r.flags(memberLearner | memberRemoved)
	row.Learner = flags&memberLearner != 0
	row.Name, row.PeerURLs, row.ClientURLs = r.string(), r.strings(), r.strings()
	t := &l.state.members
	if flags&memberRemoved != 0 {
		l.removed(r, row)
		return
	}
	if n := len(t.rows); n > 0 && t.rows[n-1].ID >= row.ID {
		r.fail("members out of order")
	}
	t.rows = append(t.rows, row)
}

// removed takes the id of a member that was removed; nothing else is left of it.
func (l *Loader) removed(r *reader, row *memberRow) {
	t := &l.state.members
	n := len(t.removed)
	switch {
	case row.incarnation != 0 || row.Learner || len(row.Name)+len(row.PeerURLs)+len(row.ClientURLs) > 0:
		r.fail("a removed member with content")
	case n > 0 && t.removed[n-1] >= row.ID, t.find(row.ID) != nil, !t.known:
		r.fail("removed members out of order, or listed")
	}
	t.removed = append(t.removed, row.ID)
}

func (l *Loader) window(r *reader) error {
	row := l.state.members.find(r.fixed64())
	if row == nil {
		return fmt.Errorf("%w: request window of no member", ErrBadSnapshot)
	}
	w := window{incarnation: r.fixed64(), boot: r.uvarint(), high: r.uvarint()}
	if w.high > 0 {
		w.bits = new([windowWords]uint64)
		for i := range w.bits {
			w.bits[i] = r.fixed64()
		}
	}
	switch {
	case r.err != nil:
	case row.window != (window{}):
		return fmt.Errorf("%w: two request windows of member %x", ErrBadSnapshot, row.ID)
	case w.high > 0 && !w.has(w.high):
		return fmt.Errorf("%w: request window of member %x without its highest", ErrBadSnapshot, row.ID)
	}
	row.window = w
	return nil
}

func (l *Loader) alarm(r *reader) error {
	a := Alarm{Member: r.fixed64(), Kind: AlarmKind(r.enum("alarm kind", byte(AlarmCorrupt)))}
	list := l.state.alarms
	if r.err == nil && (a.Kind == AlarmNone || len(list) > 0 && compareAlarms(list[len(list)-1], a) >= 0) {
		return fmt.Errorf("%w: alarm %+v out of order", ErrBadSnapshot, a)
	}
	l.state.alarms = append(list, a)
	return nil
}

func (l *Loader) lease(r *reader) error {
	lease := Lease{ID: r.varint(), TTL: r.varint(), Remaining: r.varint(), Since: r.uvarint()}
	if r.err != nil {
		return nil
	}
	if lease.ID == 0 || lease.TTL > LeaseTTLMax || l.state.leases.Exists(lease.ID) {
		return fmt.Errorf("%w: lease %+v", ErrBadSnapshot, lease)
	}
	l.state.leases.set(lease)
	return nil
}

// version takes a record of kv; the first describes the others.
func (l *Loader) version(r *reader) error {
	if l.kv == nil {
		meta := mvcc.SnapshotMeta{Revision: r.varint(), CompactRevision: r.varint(),
			Keys: r.uvarint(), Records: r.uvarint(), Chain: r.fixed64(), Live: r.fixed64()}
		if err := r.close(); err != nil {
			return err
		}
		var err error
		l.kv, err = mvcc.NewLoader(meta, l.state.options.Store)
		return err
	}
	v := l.record(r)
	if err := r.close(); err != nil {
		return err
	}
	l.note(&v)
	return l.kv.Add(v)
}

func (l *Loader) record(r *reader) mvcc.Record {
	v := mvcc.Record{Rank: r.uvarint()}
	l.main += int64(r.uvarint())
	v.Revision = mvcc.Revision{Main: l.main, Sub: int64(r.uvarint())}
	v.Version = int64(r.uvarint())
	v.Key = r.bytes()
	if v.Version != 0 {
		v.CreateRevision = v.Revision.Main - int64(r.uvarint())
		v.Lease, v.Value = r.varint(), r.bytes()
	}
	return v
}

// note keeps track of which lease the newest version of a key names.
func (l *Loader) note(v *mvcc.Record) {
	if v.Lease != 0 {
		l.leased[v.Rank] = attachment{lease: v.Lease, key: string(v.Key)}
	} else if len(l.leased) > 0 {
		delete(l.leased, v.Rank)
	}
}

// Finish returns the State after the last record.
func (l *Loader) Finish() (*State, error) {
	if l.kv == nil {
		return nil, fmt.Errorf("%w: no meta or no keys section", ErrBadSnapshot)
	}
	s := l.state
	var err error
	if s.store, err = l.kv.Finish(); err != nil {
		return nil, err
	}
	if s.auth, err = auth.Restore(l.authRevision, l.authEnabledAt, l.roles, l.users); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrBadSnapshot, err)
	}
	if err := l.attach(); err != nil {
		return nil, err
	}
	if got := s.Hash(); got != l.hash {
		return nil, fmt.Errorf("%w: state hash %x, exported as %x", ErrBadSnapshot, got, l.hash)
	}
	return s, nil
}

// attach gives leases their keys back, in order, which fills the tree fastest.
func (l *Loader) attach() error {
	list := make([]attachment, 0, len(l.leased))
	for _, a := range l.leased { // order doesn't matter: sorted below
		list = append(list, a)
	}
	slices.SortFunc(list, func(a, b attachment) int {
		return cmp.Or(cmp.Compare(a.lease, b.lease), cmp.Compare(a.key, b.key))
	})
	for _, a := range list {
		if !l.state.leases.Exists(a.lease) {
			return fmt.Errorf("%w: key %q of missing lease %x", ErrBadSnapshot, a.key, a.lease)
		}
		l.state.leases.Attach(a.lease, []byte(a.key))
	}
	return nil
}

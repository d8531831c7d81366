package mvcc

import (
	"bytes"
	"errors"
	"fmt"
	"math"
)

// ErrBadSnapshot is wrapped by every error of a Loader: the records can't have
// come from an Exporter.
var ErrBadSnapshot = errors.New("mvcc: bad snapshot")

// loadKeysMax bounds the keys of a snapshot, and with it what a wrong header
// can make the loader allocate before it meets the first record: 32 MiB.
const loadKeysMax = 1 << 31

// Loader builds a Store from exported records. It trusts nothing: what it
// returns without error satisfies the invariants of a store, and its state hash
// is that of the store that was exported.
type Loader struct {
	store *Store
	meta  SnapshotMeta
	last  Revision
	count uint64
	pages []*loadPage // items by rank

	foreign bool // of an importer
}

// loadPage holds the items of neighbouring ranks; it is made when it is needed.
type loadPage [512]*item

// NewLoader begins a store that is described by meta.
func NewLoader(meta SnapshotMeta, o Options) (*Loader, error) {
	switch {
	case meta.Revision < 1, meta.CompactRevision < -1, meta.CompactRevision > meta.Revision:
		return nil, fmt.Errorf("%w: revision %d compacted at %d", ErrBadSnapshot, meta.Revision, meta.CompactRevision)
	case meta.Keys > meta.Records, meta.Keys > loadKeysMax:
		return nil, fmt.Errorf("%w: %d keys in %d records", ErrBadSnapshot, meta.Keys, meta.Records)
	}
	s := NewStore(o)
	s.rev, s.compacted, s.state.chain = meta.Revision, meta.CompactRevision, meta.Chain
	var p loadPage
	pages := (meta.Keys + uint64(len(p)) - 1) / uint64(len(p))
	return &Loader{store: s, meta: meta, pages: make([]*loadPage, pages)}, nil
}

// Add takes the next record and copies its bytes.
func (l *Loader) Add(in Record) error {
	if err := l.check(&in); err != nil {
		return fmt.Errorf("%w: record %d of %q at %v: %w", ErrBadSnapshot, l.count, in.Key, in.Revision, err)
	}
	slot := l.slot(in.Rank)
	var prev record
	if *slot != nil {
		prev = (*slot).load()
	}
	if err := l.checkSuccession(&in, *slot, &prev); err != nil {
		return fmt.Errorf("%w: record %d of %q at %v: %w", ErrBadSnapshot, l.count, in.Key, in.Revision, err)
	}
	l.place(slot, &in, &prev)
	l.last = in.Revision
	l.count++
	return nil
}

// place writes the record to history and makes it its key's newest version.
func (l *Loader) place(slot **item, in *Record, prev *record) {
	s := l.store
	r := record{key: in.Key, value: in.Value, rev: in.Revision,
		create: in.CreateRevision, version: in.Version, lease: in.Lease}
	if prev.version > 0 {
		r.dead = prev.quota()
		s.state.live -= sumRecord(prev)
	}
	if r.tombstone() {
		r.dead += r.quota()
	} else {
		s.state.live += sumRecord(&r)
	}
	if l.foreign {
		sum := sumRecord(&r)
		s.state.chain = mix(s.state.chain^sum, sum)
	}
	*slot = (*slot).with(s.log.append(&r, s.dead))
	s.written += r.quota()
	s.dead += r.dead
}

func (l *Loader) slot(rank uint64) **item {
	var p *loadPage
	size := uint64(len(p))
	at := &l.pages[rank/size]
	if *at == nil {
		*at = new(loadPage)
	}
	return &(*at)[rank%size]
}

var (
	errCount      = errors.New("more records than announced")
	errRank       = errors.New("rank beyond the announced keys")
	errKey        = errors.New("key empty or too long")
	errOrder      = errors.New("revision out of order or beyond the store's")
	errTombstone  = errors.New("a tombstone with content or without a key before it")
	errVersion    = errors.New("version and create revision contradict each other")
	errOtherKey   = errors.New("the rank belongs to another key")
	errCompacted  = errors.New("a version that compaction would have removed")
	errSuccession = errors.New("version doesn't follow the one before")
)

// check judges a record by itself and by its place in the stream.
func (l *Loader) check(in *Record) error {
	switch {
	case l.count == l.meta.Records:
		return errCount
	case in.Rank >= l.meta.Keys:
		return errRank
	case len(in.Key) == 0 || len(in.Key) >= tombstoneBit || len(in.Value) > math.MaxInt32:
		return errKey
	case !l.last.Less(in.Revision) || in.Revision.Main < 2 || in.Revision.Sub < 0 || in.Revision.Main > l.meta.Revision:
		return errOrder
	case in.Version < 0 || in.Version == 0 && (len(in.Value) > 0 || in.Lease != 0 || in.CreateRevision != 0):
		return errTombstone
	case in.Version > 0 && (in.CreateRevision < 2 || in.CreateRevision > in.Revision.Main),
		in.Version == 1 && in.CreateRevision != in.Revision.Main:
		return errVersion
	}
	return nil
}

// checkSuccession judges a record by the version before it, if there is one.
func (l *Loader) checkSuccession(in *Record, before *item, prev *record) error {
	switch {
	case before == nil:
		return l.checkFirst(in)
	case !bytes.Equal(prev.key, in.Key):
		return errOtherKey
	case in.Revision.Main <= l.meta.CompactRevision:
		return errCompacted
	case in.Version == 0 && prev.tombstone():
		return errTombstone
	case in.Version > 0 && in.Version != prev.version+1,
		in.Version > 1 && in.CreateRevision != prev.create:
		return errSuccession
	}
	return nil
}

// checkFirst judges the oldest version of a key: only one at or below the
// compacted revision may have had others before it, and only a tombstone at
// exactly that revision is kept without them.
func (l *Loader) checkFirst(in *Record) error {
	switch {
	case in.Version == 0 && in.Revision.Main != l.meta.CompactRevision:
		return errTombstone
	case in.Version > 1 && in.Revision.Main > l.meta.CompactRevision:
		return errSuccession
	}
	return nil
}

// Finish returns the store after the last record. The loader is then spent.
func (l *Loader) Finish() (*Store, error) {
	if l.count != l.meta.Records {
		return nil, fmt.Errorf("%w: %d records of %d", ErrBadSnapshot, l.count, l.meta.Records)
	}
	items := make([]*item, 0, l.meta.Keys)
	for rank := range l.meta.Keys {
		it := *l.slot(rank)
		if it == nil {
			return nil, fmt.Errorf("%w: no record for key %d of %d", ErrBadSnapshot, rank, l.meta.Keys)
		}
		if n := len(items); n > 0 && bytes.Compare(items[n-1].key(), it.key()) >= 0 {
			return nil, fmt.Errorf("%w: key %q at rank %d is not above %q", ErrBadSnapshot, it.key(), rank, items[n-1].key())
		}
		items = append(items, it)
	}
	s := l.store
	if !l.foreign && s.state.live != l.meta.Live {
		return nil, fmt.Errorf("%w: state hash %#x, announced %#x", ErrBadSnapshot, s.state.live, l.meta.Live)
	}
	s.tree = buildTree(items)
	s.reclaimed = s.log.deadAt(s.compacted, s.dead)
	return s, nil
}

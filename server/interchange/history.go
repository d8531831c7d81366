package interchange

import (
	"fmt"
	"slices"

	"go.etcd.io/bbolt"
	"go.etcd.io/etcd/api/v3/mvccpb"
	"google.golang.org/protobuf/proto"

	"github.com/holdfast-db/holdfast/mvcc"
)

// outline is what must be known of a history before it can be loaded: its keys
// in order, and which of the versions at or below the compacted revision is the
// last of its key. The others a compaction has removed or is about to.
type outline struct {
	compacted, last int64
	records         uint64
	ranks           map[string]uint64
	newest          map[string]mvcc.Revision // at or below compacted
	kept            map[string]bool          // keys with a record that stays
}

// readKeys builds a store of the bucket "key", in two passes.
func readKeys(tx *bbolt.Tx, o mvcc.Options) (*mvcc.Store, error) {
	l := &outline{compacted: -1, last: 1, newest: map[string]mvcc.Revision{}, kept: map[string]bool{}}
	if err := l.readCompacted(tx); err != nil {
		return nil, err
	}
	if err := each(tx, bucketKey, l.survey); err != nil {
		return nil, err
	}
	if err := each(tx, bucketKey, l.count); err != nil {
		return nil, err
	}
	l.rank()
	loader, err := mvcc.NewImporter(mvcc.SnapshotMeta{
		Revision: l.last, CompactRevision: l.compacted, Keys: uint64(len(l.kept)), Records: l.records,
	}, o)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrBadFile, err)
	}
	if err := each(tx, bucketKey, func(k, v []byte) error { return l.load(loader, k, v) }); err != nil {
		return nil, err
	}
	store, err := loader.Finish()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrBadFile, err)
	}
	return store, nil
}

// readCompacted finds the compacted revision: one that was scheduled counts,
// finished or not.
func (l *outline) readCompacted(tx *bbolt.Tx) error {
	for _, name := range [][]byte{nameFinished, nameScheduled} {
		if v := tx.Bucket(bucketMeta).Get(name); v != nil {
			r, _, err := decodeRevision(v)
			if err != nil {
				return err
			}
			if r.Main > 0 {
				l.compacted = max(l.compacted, r.Main)
			}
		}
	}
	l.last = max(l.last, l.compacted)
	return nil
}

func decodeRow(k, v []byte) (r mvcc.Revision, tombstone bool, kv *mvccpb.KeyValue, err error) {
	if r, tombstone, err = decodeRevision(k); err != nil {
		return r, tombstone, nil, err
	}
	kv = &mvccpb.KeyValue{}
	if err := proto.Unmarshal(v, kv); err != nil {
		return r, tombstone, nil, fmt.Errorf("%w: key-value at %v: %w", ErrBadFile, r, err)
	}
	if len(kv.Key) == 0 || !tombstone && kv.ModRevision != r.Main {
		return r, tombstone, nil, fmt.Errorf("%w: key-value at %v is of key %q at %d", ErrBadFile, r, kv.Key, kv.ModRevision)
	}
	return r, tombstone, kv, nil
}

// survey notes the newest versions below the compacted revision.
func (l *outline) survey(k, v []byte) error {
	r, _, kv, err := decodeRow(k, v)
	if err != nil {
		return err
	}
	l.last = max(l.last, r.Main)
	if r.Main <= l.compacted {
		l.newest[string(kv.Key)] = r
	}
	return nil
}

// stays tells whether a compaction at the compacted revision keeps a record: a
// tombstone only at exactly that revision, where a watch may begin.
func (l *outline) stays(r mvcc.Revision, tombstone bool, key []byte) bool {
	if r.Main > l.compacted {
		return true
	}
	return l.newest[string(key)] == r && (!tombstone || r.Main == l.compacted)
}

func (l *outline) count(k, v []byte) error {
	r, tombstone, kv, err := decodeRow(k, v)
	if err != nil {
		return err
	}
	if l.stays(r, tombstone, kv.Key) {
		l.records++
		l.kept[string(kv.Key)] = true
	}
	return nil
}

// rank gives each key its place in the order of keys.
func (l *outline) rank() {
	keys := make([]string, 0, len(l.kept))
	for k := range l.kept { // sorted next
		keys = append(keys, k)
	}
	slices.Sort(keys)
	l.ranks = make(map[string]uint64, len(keys))
	for i, k := range keys {
		l.ranks[k] = uint64(i)
	}
}

func (l *outline) load(to *mvcc.Loader, k, v []byte) error {
	r, tombstone, kv, err := decodeRow(k, v)
	if err != nil || !l.stays(r, tombstone, kv.Key) {
		return err
	}
	record := mvcc.Record{Rank: l.ranks[string(kv.Key)], Key: kv.Key, Revision: r}
	if !tombstone {
		record.Value, record.Lease = kv.Value, kv.Lease
		record.Version, record.CreateRevision = kv.Version, kv.CreateRevision
	}
	if err := to.Add(record); err != nil {
		return fmt.Errorf("%w: %w", ErrBadFile, err)
	}
	return nil
}

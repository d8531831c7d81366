package mvcc_test

import (
	"errors"
	"testing"

	"github.com/holdfast-db/holdfast/mvcc"
)

// exported is a small store as records: a@2, b@3 kept under a compaction at 4,
// where c was deleted; then b changes and a dies.
func exported(t testing.TB) (mvcc.SnapshotMeta, []mvcc.Record) {
	s := mvcc.NewStore(mvcc.Options{})
	put := func(key, value string) {
		if _, err := s.Put(&mvcc.PutRequest{Key: []byte(key), Value: []byte(value)}, nil); err != nil {
			t.Fatal(err)
		}
	}
	del := func(key string) {
		if _, err := s.DeleteRange(&mvcc.DeleteRangeRequest{Key: []byte(key)}, nil); err != nil {
			t.Fatal(err)
		}
	}
	put("a", "1")
	put("c", "1")
	del("c")
	if err := s.Compact(s.Revision()); err != nil {
		t.Fatal(err)
	}
	put("b", "1")
	put("b", "2")
	del("a")
	put("a", "again")
	v := s.View()
	var recs []mvcc.Record
	if err := v.Export(func(r mvcc.Record) error { recs = append(recs, r); return nil }); err != nil {
		t.Fatal(err)
	}
	return v.Exporter().Meta(), recs
}

func load(meta mvcc.SnapshotMeta, recs []mvcc.Record) (*mvcc.Store, error) {
	l, err := mvcc.NewLoader(meta, mvcc.Options{})
	if err != nil {
		return nil, err
	}
	for _, r := range recs {
		if err := l.Add(r); err != nil {
			return nil, err
		}
	}
	return l.Finish()
}

// TestLoaderRefuses: every way in which records can't be an export.
func TestLoaderRefuses(t *testing.T) {
	meta, recs := exported(t)
	if _, err := load(meta, recs); err != nil {
		t.Fatal(err)
	}
	type alter func(m *mvcc.SnapshotMeta, r []mvcc.Record) []mvcc.Record
	record := func(i int, f func(*mvcc.Record)) alter {
		return func(_ *mvcc.SnapshotMeta, r []mvcc.Record) []mvcc.Record { f(&r[i]); return r }
	}
	described := func(f func(*mvcc.SnapshotMeta)) alter {
		return func(m *mvcc.SnapshotMeta, r []mvcc.Record) []mvcc.Record { f(m); return r }
	}
	// a@2 rank 0 · c@4 deleted rank 2 · b@5 rank 1 · b@6 · a@7 deleted · a@8
	for name, f := range map[string]alter{
		"revision zero":           described(func(m *mvcc.SnapshotMeta) { m.Revision = 0 }),
		"revision too low":        described(func(m *mvcc.SnapshotMeta) { m.Revision = 7 }),
		"compacted beyond it":     described(func(m *mvcc.SnapshotMeta) { m.CompactRevision = 9 }),
		"compacted below -1":      described(func(m *mvcc.SnapshotMeta) { m.CompactRevision = -2 }),
		"compacted later":         described(func(m *mvcc.SnapshotMeta) { m.CompactRevision = 6 }),
		"compacted earlier":       described(func(m *mvcc.SnapshotMeta) { m.CompactRevision = 3 }),
		"more keys than records":  described(func(m *mvcc.SnapshotMeta) { m.Keys = 7 }),
		"too many keys":           described(func(m *mvcc.SnapshotMeta) { m.Keys, m.Records = 1<<40, 1<<41 }),
		"a key without records":   described(func(m *mvcc.SnapshotMeta) { m.Keys = 4 }),
		"a key too few":           described(func(m *mvcc.SnapshotMeta) { m.Keys = 2 }),
		"a record too few":        described(func(m *mvcc.SnapshotMeta) { m.Records++ }),
		"a record too many":       described(func(m *mvcc.SnapshotMeta) { m.Records-- }),
		"another state hash":      described(func(m *mvcc.SnapshotMeta) { m.Live++ }),
		"no key":                  record(0, func(r *mvcc.Record) { r.Key = nil }),
		"another key":             record(3, func(r *mvcc.Record) { r.Key = []byte("bb") }),
		"keys out of order":       record(1, func(r *mvcc.Record) { r.Key = []byte("aa") }),
		"another rank":            record(1, func(r *mvcc.Record) { r.Rank = 0 }),
		"revision one":            record(0, func(r *mvcc.Record) { r.Revision.Main, r.CreateRevision = 1, 1 }),
		"revision repeated":       record(1, func(r *mvcc.Record) { r.Revision.Main = 2 }),
		"revision negative":       record(0, func(r *mvcc.Record) { r.Revision.Sub = -1 }),
		"value changed":           record(5, func(r *mvcc.Record) { r.Value = []byte("x") }),
		"lease changed":           record(5, func(r *mvcc.Record) { r.Lease = 1 }),
		"version skipped":         record(3, func(r *mvcc.Record) { r.Version = 3 }),
		"version negative":        record(3, func(r *mvcc.Record) { r.Version = -1 }),
		"create revision changed": record(3, func(r *mvcc.Record) { r.CreateRevision = 2 }),
		"created at zero":         record(0, func(r *mvcc.Record) { r.CreateRevision, r.Version = 0, 2 }),
		"created later":           record(3, func(r *mvcc.Record) { r.CreateRevision = 7 }),
		"first version elsewhere": record(2, func(r *mvcc.Record) { r.CreateRevision = 3 }),
		"no first version":        record(2, func(r *mvcc.Record) { r.Version, r.CreateRevision = 2, 3 }),
		"tombstone with a value":  record(4, func(r *mvcc.Record) { r.Value = []byte("x") }),
		"tombstone with a lease":  record(4, func(r *mvcc.Record) { r.Lease = 1 }),
		"tombstone twice":         record(5, func(r *mvcc.Record) { *r = mvcc.Record{Key: r.Key, Revision: r.Revision} }),
		"tombstone of no key":     record(2, func(r *mvcc.Record) { *r = mvcc.Record{Rank: 1, Key: r.Key, Revision: r.Revision} }),
	} {
		t.Run(name, func(t *testing.T) {
			m, r := meta, append([]mvcc.Record(nil), recs...)
			r = f(&m, r)
			if _, err := load(m, r); !errors.Is(err, mvcc.ErrBadSnapshot) {
				t.Errorf("got %v", err)
			}
		})
	}
}

// TestExportStops: the first error of the taker ends an export.
func TestExportStops(t *testing.T) {
	meta, recs := exported(t)
	s, err := load(meta, recs)
	if err != nil {
		t.Fatal(err)
	}
	stop, n := errors.New("stop"), 0
	if err := s.View().Export(func(mvcc.Record) error { n++; return stop }); !errors.Is(err, stop) || n != 1 {
		t.Errorf("%v after %d", err, n)
	}
}

// FuzzLoader feeds records made of random bytes: a store that comes out is
// whole and exports what went in.
func FuzzLoader(f *testing.F) {
	meta, recs := exported(f)
	f.Add(meta.Revision, meta.CompactRevision, meta.Keys, encodeRecords(recs))
	f.Add(int64(1), int64(-1), uint64(0), []byte{})
	f.Add(int64(3), int64(2), uint64(1), []byte{0, 2, 0, 2, 1, 1, 0, 1, 'a', 1, 'v'})
	f.Fuzz(func(t *testing.T, rev, compacted int64, keys uint64, data []byte) {
		recs := decodeRecords(data)
		meta := mvcc.SnapshotMeta{Revision: rev, CompactRevision: compacted, Keys: keys % 1024, Records: uint64(len(recs))}
		meta.Live = liveHashOf(meta, recs)
		s, err := load(meta, recs)
		if err != nil {
			if !errors.Is(err, mvcc.ErrBadSnapshot) {
				t.Fatal(err)
			}
			return
		}
		if err := s.CheckInvariants(); err != nil {
			t.Fatal(err)
		}
		var again []mvcc.Record
		if err := s.View().Export(func(r mvcc.Record) error { again = append(again, r); return nil }); err != nil {
			t.Fatal(err)
		}
		if string(encodeRecords(again)) != string(encodeRecords(recs)) {
			t.Fatalf("in  %v\nout %v", recs, again)
		}
		if got := s.View().Exporter().Meta(); got != meta {
			t.Fatalf("in  %+v\nout %+v", meta, got)
		}
	})
}

// encodeRecords writes small records: rank, main, sub, create, version, lease,
// key and value, each a byte or bytes after their length.
func encodeRecords(recs []mvcc.Record) (b []byte) {
	for _, r := range recs {
		b = append(b, byte(r.Rank), byte(r.Revision.Main), byte(r.Revision.Sub), byte(r.CreateRevision), byte(r.Version), byte(r.Lease))
		b = append(append(b, byte(len(r.Key))), r.Key...)
		b = append(append(b, byte(len(r.Value))), r.Value...)
	}
	return b
}

func decodeRecords(b []byte) (recs []mvcc.Record) {
	take := func(n int) []byte {
		n = min(n, len(b))
		x := b[:n]
		b = b[n:]
		return x
	}
	for len(b) >= 8 {
		x := take(6)
		r := mvcc.Record{Rank: uint64(x[0]), Revision: mvcc.Revision{Main: int64(int8(x[1])), Sub: int64(int8(x[2]))},
			CreateRevision: int64(int8(x[3])), Version: int64(int8(x[4])), Lease: int64(int8(x[5]))}
		r.Key = take(int(take(1)[0]))
		if len(b) > 0 {
			r.Value = take(int(take(1)[0]))
		}
		recs = append(recs, r)
	}
	return recs
}

// liveHashOf is the state hash that the loader will find, so that the fuzzer
// needn't guess it: a first attempt tells.
func liveHashOf(meta mvcc.SnapshotMeta, recs []mvcc.Record) uint64 {
	l, err := mvcc.NewLoader(meta, mvcc.Options{})
	if err != nil {
		return 0
	}
	for _, r := range recs {
		if l.Add(r) != nil {
			return 0
		}
	}
	return l.LiveHash()
}

package mvcc_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/holdfast-db/holdfast/mvcc"
)

// script runs "put k v", "del k", "delall", "compact rev" on a store and the
// oracle alike.
type script struct {
	t *testing.T
	s *mvcc.Store
	o *oracle
}

func newScript(t *testing.T) *script {
	t.Helper()
	return &script{t: t, s: mvcc.NewStore(mvcc.Options{ChunkBytes: 1}), o: newOracle()}
}

func (x *script) put(key, value string) int64 {
	x.t.Helper()
	q := &mvcc.PutRequest{Key: []byte(key), Value: []byte(value)}
	if _, err := x.s.Put(q, nil); err != nil {
		x.t.Fatal(err)
	}
	w := x.o.begin()
	w.put(q)
	w.end()
	return x.s.Revision()
}

func (x *script) del(key, end string) int64 {
	x.t.Helper()
	q := &mvcc.DeleteRangeRequest{Key: []byte(key), End: []byte(end)}
	if _, err := x.s.DeleteRange(q, nil); err != nil {
		x.t.Fatal(err)
	}
	w := x.o.begin()
	w.delete(q)
	w.end()
	return x.s.Revision()
}

func (x *script) compact(rev int64) {
	x.t.Helper()
	if err := errors.Join(x.s.Compact(rev), x.o.compact(rev)); err != nil {
		x.t.Fatal(err)
	}
}

// work does all physical compaction, one record at a time.
func (x *script) work() {
	x.t.Helper()
	for !x.s.CompactStep(1) {
		if err := x.s.CheckInvariants(); err != nil {
			x.t.Fatal(err)
		}
	}
	if err := x.s.CheckInvariants(); err != nil {
		x.t.Fatal(err)
	}
}

// hashes prints HashKV at every revision, in two ways that must agree.
func (x *script) hashes() (lines []string) {
	x.t.Helper()
	v := x.s.View()
	for rev := int64(-1); rev <= x.s.Revision()+1; rev++ {
		h, c, r, err := v.HashKV(rev)
		want, wantC, wantR, wantErr := x.o.hashKV(rev)
		for _, cached := range x.o.hashes {
			if cached.Revision == rev && !x.s.Compacting() {
				want, wantC, wantR, wantErr = cached.Hash, cached.CompactRevision, cached.Revision, nil
			}
		}
		if h != want || c != wantC || r != wantR || !errors.Is(err, wantErr) {
			x.t.Errorf("HashKV(%d) = %08x compacted %d of %d, %v; want %08x %d %d, %v", rev, h, c, r, err, want, wantC, wantR, wantErr)
		}
		lines = append(lines, fmt.Sprintf("%d:%08x/%d/%d/%v", rev, h, c, r, err != nil))
	}
	return lines
}

// TestHashKVCases walks through the rules of etcd's hash one by one; the
// oracle, which runs etcd's loop over a table of its own, gives the answers.
func TestHashKVCases(t *testing.T) {
	for name, run := range map[string]func(x *script){
		"empty": func(*script) {},
		"never compacted": func(x *script) {
			x.put("a", "1")
			x.put("a", "")
			x.del("a", "")
		},
		"a kept version is replaced after the compaction": func(x *script) {
			x.put("a", "1")
			x.put("b", "1")
			x.compact(3)
			x.put("a", "2") // at 4 and later, a@2 is filtered out
			x.put("c", "1")
		},
		"tombstone at the compacted revision": func(x *script) {
			x.put("a", "1")
			x.put("b", "1")
			x.compact(x.del("a", ""))
			x.put("c", "1")
		},
		"tombstone of the compaction before": func(x *script) {
			x.put("a", "1")
			x.put("b", "1")
			x.compact(x.del("a", ""))
			x.put("c", "1")
			x.compact(x.put("c", "2"))
			x.put("d", "1")
		},
		"nothing is alive at the revision: no filter": func(x *script) {
			x.put("a", "1")
			x.put("b", "1")
			x.compact(3)
			x.del("a", "\x00") // a@2, b@3 count again at 4
			x.put("c", "1")
		},
		"nothing is alive at the second compaction": func(x *script) {
			x.put("a", "1")
			x.put("b", "1")
			x.compact(3)
			x.compact(x.del("a", "\x00"))
			x.put("c", "1")
		},
		"born again at the compaction": func(x *script) {
			x.put("a", "1")
			x.del("a", "")
			x.compact(x.put("a", "2"))
			x.put("a", "3")
		},
		"twelve compactions, ten answers": func(x *script) {
			x.put("z", "kept")
			for i := range 12 {
				x.compact(x.put("a", fmt.Sprint(i)))
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			x := newScript(t)
			run(x)
			x.hashes()
			x.work()
			x.hashes()
		})
	}
}

// TestHashKVGolden pins the bytes: these values were computed by the oracle's
// loop and must never change, for members of different releases compare them.
func TestHashKVGolden(t *testing.T) {
	x := newScript(t)
	x.put("foo", "bar")
	x.put("foo", "baz")
	x.put("zoo", "")
	x.del("foo", "")
	x.compact(3)
	x.work()
	x.put("foo", "again")
	got := fmt.Sprint(x.hashes())
	const want = "[-1:40a4756d/3/-1/false 0:97a02e3c/3/6/false 1:00000000/0/0/true 2:00000000/0/0/true 3:786b3982/-1/3/false " +
		"4:e562cd53/3/4/false 5:a29b2993/3/5/false 6:97a02e3c/3/6/false 7:00000000/0/0/true]"
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// TestHashKVAfterLoad: a snapshot carries no cached hashes, and apart from them
// the loaded store answers as the first.
func TestHashKVAfterLoad(t *testing.T) {
	x := newScript(t)
	x.put("a", "1")
	x.put("b", "1")
	x.compact(x.del("a", ""))
	x.put("b", "2")
	x.work()
	x.s = reloaded(t, x.s.View())
	x.o.hashes = nil
	x.hashes()
}

func reloaded(t *testing.T, v *mvcc.View) *mvcc.Store {
	t.Helper()
	l, err := mvcc.NewLoader(v.Exporter().Meta(), mvcc.Options{})
	if err == nil {
		err = v.Export(l.Add)
	}
	if err != nil {
		t.Fatal(err)
	}
	s, err := l.Finish()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

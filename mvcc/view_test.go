package mvcc_test

import (
	"fmt"
	"sync"
	"testing"

	"github.com/holdfast-db/holdfast/mvcc"
)

// TestViewsBesideWriter reads views on other goroutines while the owner writes,
// compacts and rewrites: under the race detector, and each view must go on to
// say what it said at first.
func TestViewsBesideWriter(t *testing.T) {
	s := mvcc.NewStore(mvcc.Options{ChunkBytes: 2000})
	var readers sync.WaitGroup
	views := make(chan *mvcc.View)
	for range 3 {
		readers.Go(func() {
			for v := range views {
				if err := readTwice(v); err != nil {
					t.Error(err)
				}
			}
		})
	}
	for i := range 1500 {
		q := &mvcc.PutRequest{Key: fmt.Appendf(nil, "key %03d", i*7%300), Value: fmt.Appendf(nil, "value %d", i)}
		if _, err := s.Put(q, nil); err != nil {
			t.Fatal(err)
		}
		if i%5 == 0 {
			_, _ = s.DeleteRange(&mvcc.DeleteRangeRequest{Key: fmt.Appendf(nil, "key %03d", i%300)}, nil)
		}
		if i%100 == 99 {
			if err := s.Compact(s.Revision() - 50); err != nil {
				t.Fatal(err)
			}
		}
		s.CompactStep(5)
		if i%20 == 0 {
			views <- s.View()
		}
	}
	close(views)
	readers.Wait()
}

// readTwice reads all of v in several ways, twice, and compares.
func readTwice(v *mvcc.View) error {
	var said [2]string
	for i := range said {
		all := &mvcc.RangeRequest{Key: []byte{0}, End: []byte{0}}
		now, err := v.Range(all)
		if err != nil {
			return err
		}
		if int64(len(now.KVs)) != v.Keys() || v.Count([]byte{0}, []byte{0}) != now.Count {
			return fmt.Errorf("%d keys, counted %d", len(now.KVs), v.Keys())
		}
		all.Revision = max(v.CompactRevision(), 1)
		then, err := v.Range(all)
		if err != nil {
			return err
		}
		hash, _, _, err := v.HashKV(0)
		if err != nil {
			return err
		}
		records := 0
		if err := v.Export(func(mvcc.Record) error { records++; return nil }); err != nil {
			return err
		}
		said[i] = fmt.Sprint(now, then, hash, records, v.Hash(), v.Bytes(), v.BytesInUse())
	}
	if said[0] != said[1] {
		return fmt.Errorf("a view changed:\n%s\n%s", said[0], said[1])
	}
	return nil
}

// A view is the same one until something changes.
func TestViewIsShared(t *testing.T) {
	x := newScript(t)
	x.put("a", "1")
	v := x.s.View()
	if x.s.View() != v {
		t.Error("a second view without a change")
	}
	x.del("b", "") // changes nothing
	if x.s.View() != v {
		t.Error("a new view after a delete of nothing")
	}
	x.put("a", "2")
	if x.s.View() == v {
		t.Error("the old view after a put")
	}
	if v.Revision() != 2 || x.s.View().Revision() != 3 {
		t.Errorf("revisions %d, %d", v.Revision(), x.s.View().Revision())
	}
}

package mvcc_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/holdfast-db/holdfast/mvcc"
)

func TestCompactErrors(t *testing.T) {
	x := newScript(t)
	x.put("a", "1")
	x.put("a", "2")
	for _, c := range []struct {
		rev  int64
		want error
	}{
		{-1, mvcc.ErrCompacted}, {0, nil}, {0, mvcc.ErrCompacted}, {-1, mvcc.ErrCompacted}, {4, mvcc.ErrFutureRevision}, {2, nil},
		{2, mvcc.ErrCompacted}, {1, mvcc.ErrCompacted}, {3, nil}, {3, mvcc.ErrCompacted},
	} {
		if err := x.s.Compact(c.rev); !errors.Is(err, c.want) {
			t.Errorf("compact %d: %v, want %v", c.rev, err, c.want)
		}
	}
}

// A chunk that a merge wrote goes on to answer what a later compaction, at a
// revision inside it, will free.
func TestBytesAfterMerge(t *testing.T) {
	x := newScript(t)
	x.s = mvcc.NewStore(mvcc.Options{ChunkBytes: 1000})
	value := strings.Repeat("v", 100)
	for range 20 {
		x.put("a", value)
	}
	for rev := int64(7); rev <= x.s.Revision(); rev++ {
		x.compact(rev)
		if got, want := x.s.Bytes(), x.o.bytes(); got != want {
			t.Fatalf("compacted at %d: %d bytes, want %d", rev, got, want)
		}
		x.work()
	}
}

// The directory of history is another one after a merge; publishing goes on.
func TestWatchPublishAfterMerge(t *testing.T) {
	x := newWatching(t, 0)
	x.watch(from("a", "", 0))
	for range 5 {
		x.put("a", strings.Repeat("v", 200)) // a chunk each
	}
	x.publish()
	x.compact(6)
	x.work()
	x.got = nil
	x.put("a", "2")
	x.publish()
	x.expect("0: put a=2@7")
}

package mvcc_test

import (
	"fmt"
	"testing"

	"github.com/holdfast-db/holdfast/mvcc"
)

// TestChapter runs the example of the package's documentation.
func TestChapter(t *testing.T) {
	x := newScript(t)
	x.put("apple", "")
	x.put("banana", "")
	x.put("apple", "")
	x.put("banana", "")
	x.del("apple", "")
	x.put("cherry", "")
	x.put("damson", "")

	// at lists the keys with their versions at a revision.
	at := func(rev int64) string {
		res, err := x.s.Range(&mvcc.RangeRequest{Key: []byte{0}, End: []byte{0}, Revision: rev})
		if err != nil {
			return err.Error()
		}
		var s string
		for _, kv := range res.KVs {
			s += fmt.Sprintf("%s %d ", kv.Key, kv.Version)
		}
		return s
	}
	records := func() (s string) {
		err := x.s.View().Export(func(r mvcc.Record) error {
			s += fmt.Sprintf("%s@%d ", r.Key, r.Revision.Main)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	check := func(what, got, want string) {
		t.Helper()
		if got != want {
			t.Errorf("%s: %q, want %q", what, got, want)
		}
	}
	check("at 5", at(5), "apple 2 banana 2 ")
	check("at 6", at(6), "banana 2 ")
	check("at 8", at(8), "banana 2 cherry 1 damson 1 ")
	check("before", records(), "apple@2 banana@3 apple@4 banana@5 apple@6 cherry@7 damson@8 ")
	x.compact(6)
	check("at 5 compacted", at(5), mvcc.ErrCompacted.Error())
	for range 2 {
		check("after", records(), "banana@5 apple@6 cherry@7 damson@8 ")
		check("at 6 compacted", at(6), "banana 2 ")
		x.work()
	}
	x.compact(7)
	x.work()
	check("after the next", records(), "banana@5 cherry@7 damson@8 ")
}

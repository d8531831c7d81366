package grpcproxy

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/mvccpb"
)

func TestIntervals(t *testing.T) {
	keys := []string{"a", "ab", "b", "c", "d"}
	contains := func(i interval, key string) bool {
		switch {
		case len(i.end) == 0:
			return key == string(i.key)
		case string(i.end) == "\x00":
			return key >= string(i.key)
		}
		return key >= string(i.key) && key < string(i.end)
	}
	var all []interval
	for _, from := range keys {
		all = append(all, interval{[]byte(from), nil}, interval{[]byte(from), []byte{0}})
		for _, to := range keys {
			if to > from {
				all = append(all, interval{[]byte(from), []byte(to)})
			}
		}
	}
	for _, i := range all {
		for _, j := range all {
			want := false
			for _, key := range keys { // every boundary is a key, so an overlap holds one
				want = want || contains(i, key) && contains(j, key)
			}
			if i.overlaps(j) != want || j.overlaps(i) != want {
				t.Errorf("%q and %q: %v", i, j, !want)
			}
		}
	}
}

// store is the naive model: every version of every key.
type store struct {
	revision int64
	history  []map[string]string // by revision
}

func (s *store) put(key, value string) int64 {
	next := map[string]string{key: value}
	if s.revision > 0 {
		for k, v := range s.history[s.revision] {
			if k != key {
				next[k] = v
			}
		}
	} else {
		s.history = append(s.history, nil)
	}
	s.history = append(s.history, next)
	s.revision++
	return s.revision
}

func (s *store) answer(r *pb.RangeRequest, revision int64) *pb.RangeResponse {
	resp := &pb.RangeResponse{Header: &pb.ResponseHeader{Revision: revision}}
	for key, value := range s.history[revision] {
		if (interval{r.Key, r.RangeEnd}).overlaps(interval{key: []byte(key)}) {
			resp.Kvs = append(resp.Kvs, &mvccpb.KeyValue{Key: []byte(key), Value: []byte(value)})
		}
	}
	return resp
}

// TestCacheIsNeverOlderThanAWrite: answers and acknowledgements reach the cache in any order, and no answer that it
// gives is from before a write to its keys that was acknowledged.
func TestCacheIsNeverOlderThanAWrite(t *testing.T) {
	hits := 0
	for seed := range uint64(300) {
		rng := rand.New(rand.NewPCG(seed, 0))
		c, s := newCache(time.Now), &store{}
		s.put("k0", "first")
		type answer struct {
			req  *pb.RangeRequest
			resp *pb.RangeResponse
		}
		var late []answer
		var unacknowledged []int64
		keyOf := map[int64]string{}
		newest := map[string]int64{} // acknowledged, by key
		for range 600 {
			i := rng.IntN(5)
			req := &pb.RangeRequest{Key: fmt.Appendf(nil, "k%d", i), Serializable: true}
			if rng.IntN(2) == 0 {
				req.RangeEnd = fmt.Appendf(nil, "k%d", i+1+rng.IntN(3))
			}
			switch rng.IntN(4) {
			case 0: // a write happens; the proxy hears of it later
				key := fmt.Sprintf("k%d", i)
				revision := s.put(key, fmt.Sprint(rng.Int()))
				keyOf[revision] = key
				unacknowledged = append(unacknowledged, revision)
			case 1: // the proxy hears of one
				if n := len(unacknowledged); n > 0 {
					j := rng.IntN(n)
					revision := unacknowledged[j]
					unacknowledged = append(unacknowledged[:j], unacknowledged[j+1:]...)
					c.written(revision, interval{key: []byte(keyOf[revision])})
					newest[keyOf[revision]] = max(newest[keyOf[revision]], revision)
				}
			case 2: // a read is answered, by a member that may be behind; the answer is on its way
				late = append(late, answer{req, s.answer(req, max(1, s.revision-int64(rng.IntN(3))))})
			case 3: // an answer arrives; then somebody reads
				if n := len(late); n > 0 {
					a := late[rng.IntN(n)]
					c.add(requestKey(a.req), interval{a.req.Key, a.req.RangeEnd}, 0, a.resp)
				}
				resp := c.get(requestKey(req))
				if resp == nil {
					continue
				}
				hits++
				for key, revision := range newest {
					if (interval{req.Key, req.RangeEnd}).overlaps(interval{key: []byte(key)}) && resp.Header.Revision < revision {
						t.Fatalf("seed %d: %q to %q as of revision %d; %s was written at %d", seed, req.Key, req.RangeEnd, resp.Header.Revision, key, revision)
					}
				}
			}
		}
	}
	if hits < 1000 {
		t.Errorf("only %d answers came from the cache: nothing was tested", hits)
	}
}

func response(revision int64, bytes int) *pb.RangeResponse {
	return &pb.RangeResponse{Header: &pb.ResponseHeader{Revision: revision}, Kvs: []*mvccpb.KeyValue{{Value: make([]byte, bytes)}}}
}

// TestCacheBounds: entries end by age, by number and by bytes; large ones don't begin.
func TestCacheBounds(t *testing.T) {
	now := time.Unix(0, 0)
	c := newCache(func() time.Time { return now })
	c.add("a", interval{key: []byte("a")}, 0, response(1, 10))
	c.add("b", interval{[]byte("b"), []byte("c")}, 0, response(1, 10))
	if c.get("a") == nil || c.get("b") == nil {
		t.Fatal("nothing was kept")
	}
	now = now.Add(entryAge + 1)
	if c.get("a") != nil || c.size() != 1 {
		t.Error("too old, and still there")
	}
	c.add("large", interval{key: []byte("l")}, 0, response(1, entryBytesMax))
	if c.get("large") != nil {
		t.Error("too large, and kept")
	}
	for i := range cacheEntriesMax + 10 {
		c.add(fmt.Sprint(i), interval{key: fmt.Append(nil, i)}, 0, response(1, 10))
	}
	if c.size() != cacheEntriesMax || c.get("9") != nil || c.get(fmt.Sprint(cacheEntriesMax+9)) == nil {
		t.Errorf("%d entries, or not the newest", c.size())
	}
	c.clear(0)
	for i := range 100 {
		c.add(fmt.Sprint(i), interval{key: fmt.Append(nil, i)}, 0, response(1, entryBytesMax-100))
	}
	if c.size() > cacheBytesMax/(entryBytesMax-100) || c.size() < 60 {
		t.Errorf("%d large entries", c.size())
	}
	if c.clear(0); c.bytes != 0 || len(c.points) != 0 || len(c.ranges) != 0 {
		t.Error("something is left")
	}
}

// TestCacheFixedRevision: the past doesn't change, until it is compacted.
func TestCacheFixedRevision(t *testing.T) {
	c := newCache(time.Now)
	c.add("old", interval{key: []byte("a")}, 5, response(9, 10))
	c.written(10, interval{key: []byte("a")})
	c.add("late", interval{key: []byte("a")}, 6, response(9, 10))
	if c.get("old") == nil || c.get("late") == nil {
		t.Error("a write changed the past")
	}
	c.compacted(6)
	if c.get("old") != nil || c.get("late") == nil {
		t.Error("compacted at 6: 5 is gone, 6 is there")
	}
}

package grpcproxy

import (
	"bytes"
	"container/list"
	"sync"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/protobuf/proto"
)

// What a cache may hold. etcd's proxy holds as many entries, of any size and age.
const (
	cacheEntriesMax = 2048
	cacheBytesMax   = 64 << 20
	entryBytesMax   = 1 << 20
	// entryAge bounds how long a change that didn't come through this proxy (a
	// client of the members, the end of a lease, auth that was turned on) stays
	// unseen by serializable reads.
	entryAge = 10 * time.Second
)

// interval is a key, or a range with an end; \0 is the end of all keys.
type interval struct{ key, end []byte }

func (i interval) point() bool { return len(i.end) == 0 }

// reaches tells whether key comes before the interval's end.
func (i interval) reaches(key []byte) bool {
	switch {
	case i.point():
		return bytes.Equal(i.key, key)
	case len(i.end) == 1 && i.end[0] == 0:
		return true
	}
	return bytes.Compare(key, i.end) < 0
}

func (i interval) overlaps(j interval) bool {
	if bytes.Compare(i.key, j.key) > 0 {
		i, j = j, i
	}
	return i.reaches(j.key)
}

// cache holds answers to serializable ranges. Invariants:
//
//  1. No entry without a revision of its own (RangeRequest.revision) is older than
//     a write that this proxy has had acknowledged and that touches its range.
//  2. An entry is used for entryAge at most.
//
// An answer may be on its way to the cache while a write overtakes it. So what
// counts is revisions, not the order of calls: written throws out what is older
// than the write, and raises the mark under which nothing is taken in.
type cache struct {
	now func() time.Time

	mu      sync.Mutex
	entries map[string]*list.Element // by request
	recent  *list.List               // of *entry; the front was used last
	points  map[string]map[*entry]struct{}
	ranges  map[*entry]struct{}
	bytes   int
	mark    int64 // the highest revision of a write
}

type entry struct {
	request  string
	interval interval
	fixed    int64 // the revision that was asked for; 0: the present
	response *pb.RangeResponse
	bytes    int
	until    time.Time
}

func newCache(now func() time.Time) *cache {
	c := &cache{now: now}
	c.reset()
	return c
}

// reset needs mu, except in newCache.
func (c *cache) reset() {
	c.entries, c.recent, c.bytes = map[string]*list.Element{}, list.New(), 0
	c.points, c.ranges = map[string]map[*entry]struct{}{}, map[*entry]struct{}{}
}

// requestKey is the same for a serializable and a linearizable range: the answer
// to the latter is one to the former.
func requestKey(r *pb.RangeRequest) string {
	serializable := r.Serializable
	r.Serializable = true
	b, err := proto.MarshalOptions{Deterministic: true}.Marshal(r)
	r.Serializable = serializable
	if err != nil {
		return "" // nothing is found under it, nothing is kept
	}
	return string(b)
}

// get returns an answer that is shared and must not be changed; nil: there is none.
func (c *cache) get(request string) *pb.RangeResponse {
	c.mu.Lock()
	defer c.mu.Unlock()
	element, ok := c.entries[request]
	if !ok {
		return nil
	}
	e := element.Value.(*entry)
	if c.now().After(e.until) {
		c.remove(e)
		return nil
	}
	c.recent.MoveToFront(element)
	return e.response
}

// add takes an answer in, which nobody changes from then on.
func (c *cache) add(request string, i interval, fixed int64, resp *pb.RangeResponse) {
	size := len(request) + proto.Size(resp)
	if request == "" || size > entryBytesMax {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if fixed == 0 && resp.Header.GetRevision() < c.mark {
		return
	}
	if element, ok := c.entries[request]; ok {
		if e := element.Value.(*entry); e.response.Header.GetRevision() > resp.Header.GetRevision() {
			return // a slower answer
		}
		c.remove(element.Value.(*entry))
	}
	e := &entry{request: request, interval: i, fixed: fixed, response: resp, bytes: size, until: c.now().Add(entryAge)}
	c.entries[request] = c.recent.PushFront(e)
	c.bytes += size
	c.index(e)
	for len(c.entries) > cacheEntriesMax || c.bytes > cacheBytesMax {
		c.remove(c.recent.Back().Value.(*entry))
	}
}

// index makes an entry findable by its keys. What a write can't change needs it
// not.
func (c *cache) index(e *entry) {
	switch {
	case e.fixed != 0:
	case e.interval.point():
		key := string(e.interval.key)
		if c.points[key] == nil {
			c.points[key] = map[*entry]struct{}{}
		}
		c.points[key][e] = struct{}{}
	default:
		c.ranges[e] = struct{}{}
	}
}

// remove needs mu.
func (c *cache) remove(e *entry) {
	c.recent.Remove(c.entries[e.request])
	delete(c.entries, e.request)
	delete(c.ranges, e)
	key := string(e.interval.key)
	delete(c.points[key], e)
	if len(c.points[key]) == 0 {
		delete(c.points, key)
	}
	c.bytes -= e.bytes
}

// written throws out what a write at a revision made old. Revision 0 is a write
// whose fate is unknown: what it may touch goes.
func (c *cache) written(revision int64, touched ...interval) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.mark = max(c.mark, revision)
	for _, i := range touched {
		if i.point() {
			c.expire(c.points[string(i.key)], i, revision)
		} else {
			for _, entries := range c.points {
				c.expire(entries, i, revision)
			}
		}
		c.expire(c.ranges, i, revision)
	}
}

func (c *cache) expire(entries map[*entry]struct{}, i interval, revision int64) {
	for e := range entries {
		if (revision == 0 || e.response.Header.GetRevision() < revision) && e.interval.overlaps(i) {
			c.remove(e)
		}
	}
}

// compacted throws out answers at revisions that are gone.
func (c *cache) compacted(revision int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, element := range c.entries {
		if e := element.Value.(*entry); e.fixed != 0 && e.fixed < revision {
			c.remove(e)
		}
	}
}

// clear forgets everything from before a revision.
func (c *cache) clear(revision int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.mark = max(c.mark, revision)
	c.reset()
}

func (c *cache) size() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.entries)
}

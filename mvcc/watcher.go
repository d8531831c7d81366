package mvcc

// watcher is one watch of one stream.
//
// Invariants:
//  1. every event that it wants at a revision below its position was handed
//     out, once and in order. The position is cursor if it is behind, else the
//     larger of cursor and what comes after Hub.published: so a publication
//     doesn't touch the watchers that it has nothing for;
//  2. behind if and only if its position is at or below Hub.published;
//  3. its position never falls, whatever happens to the store.
type watcher struct {
	stream *stream
	group  *group
	id     WatchID
	start  int64 // as asked for; no progress is reported below it
	cursor int64
	want   variant

	progress bool // wants periodic progress
	sent     bool // events since the last tick of progress
	behind   bool
	torn     bool // the last response was a fragment with more to come

	stalled  uint64 // the last pass in which its stream ran out of credit
	inGroup  int    // positions in group.watchers,
	inStream int    // stream.list
	inBehind int    // and Hub.behind
}

// variant says which form of a group's events a watcher takes.
type variant uint8

const (
	wantPrev variant = 1 << iota
	noPut
	noDelete
	fragment

	variants = 1 << iota
)

func variantOf(req *WatchRequest) (v variant) {
	for i, on := range [...]bool{req.PrevKV, req.NoPut, req.NoDelete, req.Fragment} {
		if on {
			v |= 1 << i
		}
	}
	return v
}

// skips tells that the watcher filters out such events.
func (v variant) skips(t EventType) bool {
	return t == EventPut && v&noPut != 0 || t == EventDelete && v&noDelete != 0
}

// stream is one client's watch stream.
type stream struct {
	id       StreamID
	watchers map[WatchID]*watcher // for lookup; never ranged over
	list     []*watcher
	nextID   WatchID
	credit   Credit
	out      []WatchResponse // what the call that is going on emits
	inOrder  int             // position in Hub.order
}

// Credit is how much a stream's driver can still take: that many responses of
// that many bytes together (keys, values and 64 bytes for each). A stream gets
// something as long as both are positive, and the last response may overdraw:
// a revision is never torn for want of credit.
type Credit struct {
	Responses int
	Bytes     int
}

// Cost is the credit that a response with events or periodic progress took; the
// answers to requests come without.
func (r *WatchResponse) Cost() Credit {
	c := Credit{Responses: 1}
	for _, ev := range r.Events {
		c.Bytes += ev.size()
	}
	return c
}

func (c Credit) some() bool { return c.Responses > 0 && c.Bytes > 0 }

// part is one response's worth of events.
type part struct {
	events   []*Event
	rev      int64 // of the first event
	bytes    int
	fragment bool // the revision goes on in the next part
}

// split cuts events into parts of at most limit bytes, between revisions, or if
// a revision alone is larger and the watcher allows it, within one. An event is
// never cut, so that a part may be larger.
func split(events []*Event, limit int, fragments bool) []part {
	var parts []part
	var open part // whole revisions so far
	flush := func() {
		if len(open.events) > 0 {
			parts = append(parts, open)
		}
		open = part{}
	}
	for i := 0; i < len(events); {
		j, bytes := revisionAt(events, i)
		if open.bytes+bytes > limit {
			flush()
		}
		if fragments && bytes > limit {
			parts = append(parts, shred(events[i:j], limit)...)
		} else {
			n := len(open.events)
			open.events = events[i-n : j : j]
			open.rev = open.events[0].KV.ModRevision
			open.bytes += bytes
		}
		i = j
	}
	flush()
	return parts
}

// revisionAt returns the end and the size of the revision that begins at i.
func revisionAt(events []*Event, i int) (end, bytes int) {
	for end = i; end < len(events) && events[end].KV.ModRevision == events[i].KV.ModRevision; end++ {
		bytes += events[end].size()
	}
	return end, bytes
}

// shred cuts one revision into fragments.
func shred(events []*Event, limit int) (parts []part) {
	for len(events) > 0 {
		n, bytes := 1, events[0].size()
		for n < len(events) && bytes+events[n].size() <= limit {
			bytes += events[n].size()
			n++
		}
		parts = append(parts, part{events: events[:n:n], rev: events[0].KV.ModRevision,
			bytes: bytes, fragment: n < len(events)})
		events = events[n:]
	}
	return parts
}

// eventOverhead is more than protobuf adds to a key and a value.
const eventOverhead = 64

// size bounds the encoded size.
func (e *Event) size() int {
	n := len(e.KV.Key) + len(e.KV.Value) + eventOverhead
	if e.Prev != nil {
		n += len(e.Prev.Key) + len(e.Prev.Value) + eventOverhead
	}
	return n
}

package sim

import (
	"fmt"
	"math"

	"github.com/holdfast-db/holdfast/linearizability"
	"github.com/holdfast-db/holdfast/mvcc"
	"github.com/holdfast-db/holdfast/server/auth"
	"github.com/holdfast-db/holdfast/server/replica"
)

// watchStream is a client that watches: one stream to one member at a time,
// with a few watchers on it. After a lost connection it goes on at any other
// member, each watcher from the revision after the last one it has seen whole.
type watchStream struct {
	w        *World
	index    int
	node     *Node
	id       mvcc.StreamID
	opened   uint64 // numbers the connections
	watchers []*watcher
	arrives  int64 // responses of a stream arrive in order
	user     string
	// asked are the watchers whose creation the member has not answered yet, denied
	// those whose refusal is on its way; both in order.
	asked, denied []*watcher
}

// watcher is one watch and its progress through history.
type watcher struct {
	stream  *watchStream
	id      mvcc.WatchID
	request mvcc.WatchRequest
	// created on the present connection.
	created bool
	// from is the first revision not seen whole yet; 0: not started, from now.
	from int64
	// next is the first change of the model that is not delivered.
	next int
	// partial: a revision is being delivered in fragments.
	partial bool
	heard   int64 // largest revision in a response of this connection
	record  *linearizability.Watch
	session watchSession
	// waiting is the revision that it waits for, since when and on which connection.
	waiting, since int64
	waitsOn        uint64
}

func newWatchStream(w *World, index int) *watchStream {
	s := &watchStream{w: w, index: index}
	d := w.loadDraw
	for i := range 1 + d.IntN(3) {
		at := &watcher{stream: s, id: mvcc.WatchID(i)}
		at.request = mvcc.WatchRequest{
			ID: at.id, PrevKV: d.percent(50), NoPut: d.percent(10), NoDelete: d.percent(10),
			ProgressNotify: d.percent(40), Fragment: d.percent(50),
		}
		at.request.Key, at.request.End = watchSpan(d, w.plan.Load.Keys)
		if d.percent(50) {
			at.from = 1 // all history
		}
		s.watchers = append(s.watchers, at)
	}
	return s
}

func watchSpan(d draw, keys int) (key, end []byte) {
	from := d.IntN(keys)
	switch d.IntN(4) {
	case 0:
		return []byte{0}, []byte{0}
	case 1:
		return keyName(from), nil
	case 2:
		return keyName(from), []byte{0}
	default:
		return keyName(from), keyName(from + 5)
	}
}

// reconnect opens the stream at some member after a delay.
func (s *watchStream) reconnect(delay int64) {
	s.node = nil
	s.opened++
	opened := s.opened
	s.w.at(delay, whatWatch, 0, func() {
		if s.opened == opened {
			s.open()
		}
	})
}

func (s *watchStream) open() {
	w := s.w
	n := w.node(w.load.anyMember(w.loadDraw))
	if !n.up || !n.clientUp {
		s.reconnect(100 * millisecond)
		return
	}
	s.node = n
	s.id = mvcc.StreamID(s.opened*100 + uint64(s.index))
	s.arrives, s.asked, s.denied = w.now, nil, nil
	opened := s.opened
	n.enqueue(replica.WatchOpenEvent{Stream: s.id, Sink: func(rs []mvcc.WatchResponse) { s.sink(opened, rs) }})
	n.enqueue(replica.WatchGrantEvent{Stream: s.id, Credit: mvcc.Credit{
		Responses: w.plan.Load.WatchCredit + len(s.watchers), Bytes: math.MaxInt / 2, // bounded by responses alone
	}})
	for _, at := range s.watchers {
		s.create(at)
	}
	w.count.add("watch streams")
	w.at(w.loadDraw.around(5*second), whatWatch, uint8(n.id), func() { s.restless(opened) })
}

func (s *watchStream) create(at *watcher) {
	at.created, at.heard, at.waiting = false, 0, 0 // a refusal was an answer, too
	q := at.request
	q.StartRevision = at.from
	if at.partial {
		at.rewind()
	}
	at.recordWatch(&q)
	if !s.node.up {
		return // the connection's end is on its way
	}
	create := replica.WatchCreateEvent{Stream: s.id, Request: q}
	if s.user != "" {
		a := s.node.authNow()
		create.Session = stateOf(s.node.rep).Auth().Session(auth.Caller{Name: s.user})
		at.session = watchSession{user: s.user, since: a.users[s.user].since, enabledAt: a.enabledAt}
		s.asked = append(s.asked, at)
	}
	s.node.enqueue(create)
}

// rewind drops the fragments of a revision that was not delivered whole.
func (at *watcher) rewind() {
	at.partial = false
	changes := at.stream.w.oracle.model.changes
	for at.next > 0 && changes[at.next-1].main >= at.from {
		at.next--
	}
}

// restless leaves for another member now and then, or asks for progress.
func (s *watchStream) restless(opened uint64) {
	if s.opened != opened || s.node == nil {
		return
	}
	d := s.w.loadDraw
	switch {
	case d.percent(50):
		s.node.enqueue(replica.WatchProgressEvent{Stream: s.id})
	case d.percent(50):
		s.node.enqueue(replica.WatchCloseEvent{Stream: s.id})
		s.reconnect(d.between(0, 50*millisecond))
		return
	}
	s.w.at(d.around(3*second), whatWatch, uint8(s.node.id), func() { s.restless(opened) })
}

// sink is called on the apply actor's turn.
func (s *watchStream) sink(opened uint64, responses []mvcc.WatchResponse) {
	w, n := s.w, s.node
	if s.opened != opened {
		return // closed by the client, not yet by the member
	}
	s.overheard(responses)
	batch := append([]mvcc.WatchResponse(nil), responses...)
	s.arrives = max(s.arrives, w.load.answering+w.load.travel())
	n.later(w.load.answering-w.now, whatWatch, func() {
		w.at(max(0, s.arrives-w.now), whatWatch, uint8(n.id), func() { s.receive(opened, batch) })
	})
}

// receive takes responses in the order in which they were sent, and returns
// credit as it digests them.
func (s *watchStream) receive(opened uint64, responses []mvcc.WatchResponse) {
	w := s.w
	for i := range responses {
		if s.opened != opened || s.node == nil {
			return
		}
		r := &responses[i]
		w.trace.mark(w.now, whatWatch, uint8(s.node.id), uint64(s.id), uint64(r.Revision), uint64(len(r.Events)))
		if w.trace.verbose() {
			w.trace.line(w.now, whatWatch, uint8(s.node.id), "stream %d: %s", s.index, responseText(r))
		}
		s.checkResponse(r)
		w.count.add("watch responses")
		n, id := s.node, s.id
		digest := w.plan.Load.SlowWatcher
		if w.phase >= PhaseConverge {
			digest = 50 // from here on delivery is the cluster's affair alone
		}
		n.later(w.loadDraw.around(digest), whatWatch, func() {
			n.enqueue(replica.WatchGrantEvent{Stream: id, Credit: mvcc.Credit{Responses: 1}})
		})
	}
}

func responseText(r *mvcc.WatchResponse) string {
	text := fmt.Sprintf("watcher %d revision %d created %v canceled %v fragment %v", r.ID, r.Revision, r.Created, r.Canceled, r.Fragment)
	for _, e := range r.Events {
		text += fmt.Sprintf(" %s@%d", e.KV.Key, e.KV.ModRevision)
	}
	return text
}

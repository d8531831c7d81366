package differential

import (
	"context"
	"fmt"
	"strings"
	"sync"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/mvccpb"
	"google.golang.org/grpc/status"
)

// witnessID is the watcher that a stream gets beside those that the steps make: it sees every change, so that the
// tester knows when a change has reached the stream.
const witnessID = 1 << 40

// watchLog records what a watch stream says, by watcher: etcd leaves open in which order watchers of one stream are
// served, so only the order within one is compared.
type watchLog struct {
	stream pb.Watch_WatchClient
	cancel context.CancelFunc

	mu       sync.Mutex
	asked    []*pb.WatchCreateRequest // creations not answered yet
	lives    []*life                  // the first two: refused creations; progress of the stream, in no order with others
	current  map[int64]*life
	seen     int64 // revision that the witness has seen
	witness  bool
	compact  bool // a watcher was canceled by compaction
	finished bool
	cancels  map[string]int // by reason
}

// life is what one watcher got, from its creation on.
type life struct {
	title  string
	behind bool // it began in the past: how its events are batched is the server's affair
	torn   bool // the last response was a fragment
	said   []string
}

func (t *target) watch(s Watch) outcome {
	w := t.streams[s.Stream]
	if w == nil {
		var err error
		if w, err = t.openWatch(!s.Bare); err != nil {
			return outcome{err: err}
		}
		t.streams[s.Stream] = w
	}
	if err := w.send(s.Request); err != nil || s.Request.GetCreateRequest() != nil {
		return outcome{err: err}
	}
	// Whether there is an answer is for the server to decide. A request that surely has one follows, so that the
	// next step isn't done before this one.
	return outcome{err: w.send(&pb.WatchRequest{RequestUnion: &pb.WatchRequest_CreateRequest{
		CreateRequest: &pb.WatchCreateRequest{StartRevision: -1}}})}
}

func (t *target) openWatch(witness bool) (*watchLog, error) {
	ctx, cancel := context.WithCancel(context.Background())
	stream, err := pb.NewWatchClient(t.conn).Watch(ctx)
	if err != nil {
		cancel()
		return nil, err
	}
	w := &watchLog{stream: stream, cancel: cancel, witness: witness, current: map[int64]*life{}, cancels: map[string]int{}, lives: []*life{{title: "refused"}, {title: "progress"}}}
	go w.receive()
	if !witness {
		return w, nil
	}
	return w, w.send(&pb.WatchRequest{RequestUnion: &pb.WatchRequest_CreateRequest{CreateRequest: &pb.WatchCreateRequest{
		Key: []byte{0}, RangeEnd: []byte{0}, WatchId: witnessID, PrevKv: true}}})
}

func (t *target) closeWatch(stream int) outcome {
	w := t.streams[stream]
	if w == nil {
		return outcome{text: "no such stream"}
	}
	delete(t.streams, stream)
	w.cancel()
	w.addCancels(t.cancels)
	return outcome{}
}

func (w *watchLog) send(r *pb.WatchRequest) error {
	if c := r.GetCreateRequest(); c != nil {
		w.mu.Lock()
		w.asked = append(w.asked, c)
		w.mu.Unlock()
	}
	return w.stream.Send(r)
}

func (w *watchLog) receive() {
	for {
		r, err := w.stream.Recv()
		w.mu.Lock()
		if err != nil {
			st := status.Convert(err)
			w.lives[0].say("ended %s: %s", st.Code(), st.Message())
			w.finished = true
			w.mu.Unlock()
			return
		}
		w.take(r)
		w.mu.Unlock()
	}
}

// take adds one response to the life that it belongs to.
func (w *watchLog) take(r *pb.WatchResponse) {
	if r.Created {
		w.begin(r)
	}
	l := w.current[r.WatchId]
	switch {
	case r.Created && r.Canceled:
		l = w.lives[0]
	case l == nil:
		l = w.lives[1]
	}
	if r.Canceled && r.CompactRevision != 0 {
		w.cancels["by compaction"]++
	} else if r.Canceled {
		w.cancels[r.CancelReason]++
	}
	head := fmt.Sprintf("id %d rev %d created %t canceled %t compact %d reason %q",
		r.WatchId, r.Header.GetRevision(), r.Created, r.Canceled, r.CompactRevision, r.CancelReason)
	switch {
	case len(r.Events) == 0:
		l.say("%s", head)
	case l.behind:
		for _, e := range r.Events {
			l.say("%s", showEvent(e))
		}
	case l.torn:
		l.add(r.Events)
	default:
		l.say("%s", head)
		l.add(r.Events)
		if r.Fragment {
			l.add(nil)
		}
	}
	l.torn = r.Fragment
	if r.WatchId == witnessID {
		w.seen = r.Header.GetRevision() // it never lags: all of that revision has been said
	}
	if r.Canceled && !r.Created {
		w.compact = w.compact || r.CompactRevision != 0
		delete(w.current, r.WatchId)
	}
}

// addCancels adds up why watchers were canceled; "" is by the client.
func (w *watchLog) addCancels(to map[string]int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for reason, n := range w.cancels {
		to[reason] += n
	}
}

// begin pairs a creation with its request: they are answered in order.
func (w *watchLog) begin(r *pb.WatchResponse) {
	l := &life{title: fmt.Sprintf("watcher %d", len(w.lives)-1)}
	if len(w.asked) == 0 {
		w.lives[0].say("created without a request")
	} else {
		c := w.asked[0]
		w.asked = w.asked[1:]
		l.behind = c.StartRevision > 0 && c.StartRevision <= r.Header.GetRevision()
	}
	if !r.Canceled {
		w.lives = append(w.lives, l)
		w.current[r.WatchId] = l
	}
}

func (l *life) say(format string, args ...any) { l.said = append(l.said, fmt.Sprintf(format, args...)) }

// add appends events to the response before; nil marks one that came in fragments.
func (l *life) add(events []*mvccpb.Event) {
	last := &l.said[len(l.said)-1]
	if events == nil {
		*last = "fragmented " + *last
	}
	for _, e := range events {
		*last += " " + showEvent(e)
	}
}

// showEvent prints an event whole, except that values are cut: watchers and reads of the same versions are compared
// by the other steps, byte for byte.
func showEvent(e *mvccpb.Event) string {
	s := "{" + e.Type.String() + " " + showKV(e.Kv)
	if e.PrevKv != nil {
		s += " was " + showKV(e.PrevKv)
	}
	return s + "}"
}

func showKV(kv *mvccpb.KeyValue) string {
	if kv == nil {
		return "nothing"
	}
	value := string(kv.Value)
	if len(value) > 40 {
		value = fmt.Sprintf("%s…%d bytes", value[:40], len(value))
	}
	return fmt.Sprintf("%q=%q c%d m%d v%d l%d", kv.Key, value, kv.CreateRevision, kv.ModRevision, kv.Version, kv.Lease)
}

// transcript is all that the stream said, one line each.
func (w *watchLog) transcript() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	var b strings.Builder
	for _, l := range w.lives {
		for _, line := range l.said {
			fmt.Fprintf(&b, "%s: %s\n", l.title, line)
		}
	}
	fmt.Fprintf(&b, "%d creations unanswered\n", len(w.asked))
	return b.String()
}

// caughtUp tells that every creation was answered and that the stream has told of a revision, as far as the witness
// shows it.
func (w *watchLog) caughtUp(revision int64) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.finished || len(w.asked) == 0 && (!w.witness || w.seen >= revision)
}

func (w *watchLog) canceledByCompaction() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.compact
}

package api

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/mvccpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"
	"pgregory.net/rapid"

	"github.com/holdfast-db/holdfast/internal/fuzz"
	"github.com/holdfast-db/holdfast/mvcc"
	"github.com/holdfast-db/holdfast/server/auth"
)

// fakeWatch is a client's end of a watch stream. Sends are decoded from the
// bytes that would go out.
type fakeWatch struct {
	t        *testing.T
	ctx      context.Context
	end      context.CancelCauseFunc
	requests chan *pb.WatchRequest
	replies  chan *pb.WatchResponse
	result   chan error
	stalled  sync.Mutex // held: the client doesn't read
}

func openWatch(t *testing.T, svc *Service) *fakeWatch {
	t.Helper()
	w := newFakeWatch(t)
	w.serve(svc)
	return w
}

func newFakeWatch(t *testing.T) *fakeWatch {
	w := &fakeWatch{
		t: t, requests: make(chan *pb.WatchRequest), replies: make(chan *pb.WatchResponse, 10_000), result: make(chan error, 1),
	}
	w.ctx, w.end = context.WithCancelCause(context.Background())
	return w
}

func (w *fakeWatch) serve(svc *Service) {
	go func() {
		err := svc.Watch(w)
		w.end(nil) // as grpc-go does when a handler has returned
		w.result <- err
	}()
	w.t.Cleanup(func() { w.end(nil) })
}

func (w *fakeWatch) Context() context.Context { return w.ctx }

func (w *fakeWatch) Recv() (*pb.WatchRequest, error) {
	select {
	case r, open := <-w.requests:
		if !open {
			return nil, io.EOF
		}
		return r, nil
	case <-w.ctx.Done():
		return nil, w.ctx.Err()
	}
}

func (w *fakeWatch) SendWatch(m *WatchMessage) error {
	w.stalled.Lock()
	defer w.stalled.Unlock()
	var got pb.WatchResponse
	b := m.Append(nil)
	if len(b) > m.Size() {
		return fmt.Errorf("message of %d bytes said it had at most %d", len(b), m.Size())
	}
	if err := proto.Unmarshal(b, &got); err != nil {
		return err
	}
	if diff := cmp.Diff(m.PB(), &got, protocmp.Transform()); diff != "" {
		return fmt.Errorf("by hand and by protobuf differ: %s", diff)
	}
	w.replies <- &got
	return nil
}

func (w *fakeWatch) create(r *pb.WatchCreateRequest) {
	w.requests <- &pb.WatchRequest{RequestUnion: &pb.WatchRequest_CreateRequest{CreateRequest: r}}
}

func (w *fakeWatch) next() *pb.WatchResponse {
	w.t.Helper()
	select {
	case r := <-w.replies:
		return r
	case <-time.After(5 * time.Second):
		w.t.Fatal("nothing came")
		return nil
	}
}

func (w *fakeWatch) ended() error {
	w.t.Helper()
	select {
	case err := <-w.result:
		return err
	case <-time.After(5 * time.Second):
		w.t.Fatal("the stream goes on")
		return nil
	}
}

func (w *fakeWatch) expect(s *tester, want ...*pb.WatchResponse) {
	w.t.Helper()
	for _, r := range want {
		s.equal(w.next(), r)
	}
}

func putEvent(key, value string, create, mod, version int64) *mvccpb.Event {
	return &mvccpb.Event{Kv: kvOf(key, value, create, mod, version)}
}

func TestWatchLife(t *testing.T) {
	s := newTester(t)
	s.put("a", "1")
	w := openWatch(t, s.svc)
	w.create(&pb.WatchCreateRequest{Key: []byte("a"), StartRevision: 1, PrevKv: true})
	w.expect(s,
		&pb.WatchResponse{Header: header(2), Created: true},
		&pb.WatchResponse{Header: header(2), Events: []*mvccpb.Event{putEvent("a", "1", 2, 2, 1)}})
	s.put("a", "2")
	second := putEvent("a", "2", 2, 3, 2)
	second.PrevKv = kvOf("a", "1", 2, 2, 1)
	w.expect(s, &pb.WatchResponse{Header: header(3), Events: []*mvccpb.Event{second}})
	_, err := s.svc.DeleteRange(bg, &pb.DeleteRangeRequest{Key: []byte("a")})
	ok(s, 0, err)
	w.expect(s, &pb.WatchResponse{Header: header(4), Events: []*mvccpb.Event{{
		Type: mvccpb.Event_DELETE, Kv: &mvccpb.KeyValue{Key: []byte("a"), ModRevision: 4}, PrevKv: kvOf("a", "2", 2, 3, 2),
	}}})
	w.requests <- &pb.WatchRequest{RequestUnion: &pb.WatchRequest_ProgressRequest{ProgressRequest: &pb.WatchProgressRequest{}}}
	w.expect(s, &pb.WatchResponse{Header: header(4), WatchId: -1})
	cancel := &pb.WatchRequest{RequestUnion: &pb.WatchRequest_CancelRequest{CancelRequest: &pb.WatchCancelRequest{}}}
	w.requests <- cancel
	w.expect(s, &pb.WatchResponse{Header: header(4), Canceled: true})
	w.requests <- cancel // of no watch: silence
	w.create(&pb.WatchCreateRequest{WatchId: 5})
	w.expect(s, &pb.WatchResponse{Header: header(4), WatchId: 5, Created: true})
	close(w.requests) // the client says no more, but goes on listening
	s.put("\x00", "the smallest key is what a watch without a key is on")
	if r := w.next(); len(r.Events) != 1 || r.WatchId != 5 {
		t.Errorf("after the client's last word: %v", r)
	}
	w.end(context.Canceled)
	if err := w.ended(); err != rpctypes.ErrGRPCWatchCanceled {
		t.Errorf("end: %v", err)
	}
}

// TestWatchRefusals holds etcd's ways to say no: always as responses.
func TestWatchRefusals(t *testing.T) {
	s := newTester(t)
	for i := range 5 {
		s.put("a", fmt.Sprint(i))
	}
	_, err := s.svc.Compact(bg, &pb.CompactionRequest{Revision: 4})
	ok(s, 0, err)
	w := openWatch(t, s.svc)
	refused := func(reason string) *pb.WatchResponse {
		return &pb.WatchResponse{Header: header(6), WatchId: -1, Created: true, Canceled: true, CancelReason: reason}
	}
	w.create(&pb.WatchCreateRequest{Key: []byte("a"), StartRevision: -1})
	w.expect(s, refused("etcdserver: mvcc: required revision has been compacted"))
	w.create(&pb.WatchCreateRequest{Key: []byte("b"), RangeEnd: []byte("a")})
	w.expect(s, refused("mvcc: watcher range is empty"))
	w.create(&pb.WatchCreateRequest{Key: []byte("a"), WatchId: 3})
	w.expect(s, &pb.WatchResponse{Header: header(6), WatchId: 3, Created: true})
	w.create(&pb.WatchCreateRequest{Key: []byte("a"), WatchId: 3})
	w.expect(s, refused("mvcc: duplicate watch ID provided on the WatchStream"))
	w.create(&pb.WatchCreateRequest{Key: []byte("a"), StartRevision: 2})
	w.expect(s,
		&pb.WatchResponse{Header: header(6), Created: true},
		&pb.WatchResponse{Header: header(0), Canceled: true, CompactRevision: 4})
}

// TestWatchSlowClient: who doesn't read holds up nobody, costs a bounded number
// of responses, and misses nothing.
func TestWatchSlowClient(t *testing.T) {
	s := newTester(t)
	w := openWatch(t, s.svc)
	w.create(&pb.WatchCreateRequest{Key: []byte("k"), StartRevision: 1})
	s.equal(w.next().Created, true)
	w.stalled.Lock()
	n := 20 * watchCredit.Responses
	for i := range n {
		s.put("k", fmt.Sprint(i))
	}
	w.stalled.Unlock()
	for i := 0; i < n; {
		for _, ev := range w.next().Events {
			if string(ev.Kv.Value) != fmt.Sprint(i) {
				t.Fatalf("event %d is %v", i, ev)
			}
			i++
		}
	}
}

// TestWatchGreedyClient: asking without listening is bounded as well.
// TestWatchSlowClientBytes: what waits for a client that doesn't read is bounded
// in bytes, too; it gets all of it once it reads.
func TestWatchSlowClientBytes(t *testing.T) {
	s := newTester(t)
	q := newWatchQueue()
	stream := s.b.OpenWatch(q.push)
	defer stream.Close()
	stream.Grant(watchCredit)
	stream.Create(mvcc.WatchRequest{Key: []byte("k"), StartRevision: 1}, auth.Session{})
	const size, n = 1 << 19, 100
	value := strings.Repeat("x", size)
	for range n {
		s.put("k", value)
	}
	seen := 0
	for seen < n {
		responses := q.take()
		waiting := spent(responses).Bytes
		if waiting > watchCredit.Bytes+2*size {
			t.Fatalf("%d bytes wait for a slow client", waiting)
		}
		if waiting == 0 && len(responses) == 0 {
			<-q.ready
			continue
		}
		for _, r := range responses {
			seen += len(r.Events)
		}
		stream.Grant(spent(responses))
	}
}

func TestWatchGreedyClient(t *testing.T) {
	s := newTester(t)
	w := openWatch(t, s.svc)
	w.stalled.Lock()
	asked := 0
	for asked < 4*watchBacklog {
		select {
		case w.requests <- &pb.WatchRequest{RequestUnion: &pb.WatchRequest_CreateRequest{CreateRequest: &pb.WatchCreateRequest{Key: []byte("k")}}}:
			asked++
			continue
		case <-time.After(100 * time.Millisecond):
		}
		break
	}
	w.stalled.Unlock()
	if asked < watchBacklog || asked > 2*watchBacklog+2 {
		t.Errorf("%d requests were read from a client that doesn't listen, want about %d", asked, watchBacklog)
	}
	for range asked {
		w.next()
	}
}

func TestWatchEndsWithServer(t *testing.T) {
	s := newTester(t)
	w := openWatch(t, s.svc)
	close(s.b.stopped)
	if err := w.ended(); err != rpctypes.ErrGRPCStopped {
		t.Error(err)
	}
}

// TestGuardEndsStreams: a stream that asked for a leader ends after three
// election timeouts without one, others don't.
func TestGuardEndsStreams(t *testing.T) {
	s := newTester(t)
	defer close(s.b.stopped)
	guard := NewGuard(s.b)
	go guard.Run()
	guarded, unguarded := openWatch(t, s.svc), openWatch(t, s.svc)
	ctx, leave := guard.Enter(guarded.ctx)
	defer leave()
	context.AfterFunc(ctx, func() { guarded.end(context.Cause(ctx)) })
	time.Sleep(5 * guard.election)
	if ctx.Err() != nil {
		t.Fatal("ended with a leader")
	}
	s.b.mu.Lock()
	s.b.leaderless = true
	s.b.mu.Unlock()
	if err := guarded.ended(); err != rpctypes.ErrGRPCNoLeader {
		t.Errorf("guarded stream: %v", err)
	}
	if unguarded.ctx.Err() != nil {
		t.Error("a stream that asked for nothing ended")
	}
}

// TestWatchMessageEncoding compares the encoder with protobuf's on random
// responses, with events shared between responses through one memo.
func TestWatchMessageEncoding(t *testing.T) { rapid.Check(t, watchMessageModel) }

func FuzzWatchMessageEncoding(f *testing.F) { fuzz.Model(f, watchMessageModel) }

func watchMessageModel(t *rapid.T) {
	number := rapid.Int64()
	kv := func() mvcc.KeyValue {
		data := rapid.SliceOfN(rapid.Byte(), 0, 20)
		return mvcc.KeyValue{
			Key: data.Draw(t, "key"), Value: data.Draw(t, "value"), CreateRevision: number.Draw(t, "create"),
			ModRevision: number.Draw(t, "mod"), Version: number.Draw(t, "version"), Lease: number.Draw(t, "lease"),
		}
	}
	events := make([]*mvcc.Event, rapid.IntRange(0, 20).Draw(t, "events"))
	for i := range events {
		events[i] = &mvcc.Event{Type: mvcc.EventType(rapid.IntRange(0, 1).Draw(t, "type")), KV: kv()}
		if rapid.Bool().Draw(t, "has prev") {
			prev := kv()
			events[i].Prev = &prev
		}
	}
	var memo eventMemo
	for range 3 {
		from := rapid.IntRange(0, len(events)).Draw(t, "from")
		m := &WatchMessage{
			memo: &memo,
			head: Head{Cluster: rapid.Uint64().Draw(t, "cluster"), Member: rapid.Uint64().Draw(t, "member"), Term: rapid.Uint64().Draw(t, "term")},
			response: &mvcc.WatchResponse{
				ID: mvcc.WatchID(number.Draw(t, "id")), Created: rapid.Bool().Draw(t, "created"),
				Canceled: rapid.Bool().Draw(t, "canceled"), CompactRevision: number.Draw(t, "compact"),
				CancelReason: rapid.SampledFrom([]string{"", "why", mvcc.ErrCompacted.Error()}).Draw(t, "reason"),
				Fragment:     rapid.Bool().Draw(t, "fragment"), Revision: number.Draw(t, "revision"), Events: events[from:],
			},
		}
		b := m.Append(nil)
		var got pb.WatchResponse
		if err := proto.Unmarshal(b, &got); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(m.PB(), &got, protocmp.Transform()); diff != "" {
			t.Fatalf("-want +got:\n%s", diff)
		}
		if len(b) > m.Size() {
			t.Fatalf("%d bytes, said at most %d", len(b), m.Size())
		}
	}
}

// fakeKeepAlive is a client's keep-alive stream with all its requests.
type fakeKeepAlive struct {
	ctx     context.Context
	ids     []int64
	replies []*pb.LeaseKeepAliveResponse
	last    error // what Recv ends with
}

func (k *fakeKeepAlive) Context() context.Context { return k.ctx }

func (k *fakeKeepAlive) Recv() (*pb.LeaseKeepAliveRequest, error) {
	if len(k.ids) == 0 {
		return nil, k.last
	}
	id := k.ids[0]
	k.ids = k.ids[1:]
	return &pb.LeaseKeepAliveRequest{ID: id}, nil
}

func (k *fakeKeepAlive) Send(r *pb.LeaseKeepAliveResponse) error {
	k.replies = append(k.replies, r)
	return nil
}

func TestKeepAlive(t *testing.T) {
	s := newTester(t)
	_, err := s.svc.LeaseGrant(bg, &pb.LeaseGrantRequest{ID: 4, TTL: 30})
	ok(s, 0, err)
	k := &fakeKeepAlive{ctx: bg, ids: []int64{4, 5, 4}, last: io.EOF}
	if err := s.svc.LeaseKeepAlive(k); err != nil {
		t.Fatal(err)
	}
	s.equal(k.replies, []*pb.LeaseKeepAliveResponse{
		{Header: header(1), ID: 4, TTL: 30}, {Header: header(1), ID: 5}, {Header: header(1), ID: 4, TTL: 30},
	})
	broken := errors.New("broken")
	if err := s.svc.LeaseKeepAlive(&fakeKeepAlive{ctx: bg, last: broken}); err != broken {
		t.Errorf("broken stream: %v", err)
	}
}

// fakeRangeStream collects chunks.
type fakeRangeStream struct{ chunks []*pb.RangeResponse }

func (f *fakeRangeStream) Context() context.Context { return bg }
func (f *fakeRangeStream) Send(r *pb.RangeStreamResponse) error {
	f.chunks = append(f.chunks, r.RangeResponse)
	return nil
}

// TestRangeStream: the chunks together are the range.
func TestRangeStream(t *testing.T) {
	s := newTester(t, func(b *fakeBackend) { b.limits.RequestBytesMax = 2000 })
	for i := range 100 {
		s.put(fmt.Sprintf("k%03d", i), "some value that takes a little room")
	}
	for _, req := range []*pb.RangeRequest{
		{Key: []byte("k"), RangeEnd: []byte("l")},
		{Key: []byte("k"), RangeEnd: []byte("l"), Limit: 33},
		{Key: []byte("k"), RangeEnd: []byte("l"), Revision: 50, KeysOnly: true},
		{Key: []byte("k"), RangeEnd: []byte("l"), CountOnly: true},
		{Key: []byte("none")},
	} {
		var f fakeRangeStream
		if err := s.svc.RangeStream(req, &f); err != nil {
			t.Fatal(err)
		}
		whole := &pb.RangeResponse{}
		for i, c := range f.chunks {
			if (i == len(f.chunks)-1) != (c.Header != nil) {
				t.Errorf("%v: chunk %d of %d has header %v", req, i, len(f.chunks), c.Header)
			}
			if size := proto.Size(c); size > 2100 {
				t.Errorf("%v: chunk %d has %d bytes", req, i, size)
			}
			proto.Merge(whole, c)
		}
		want, err := s.svc.Range(bg, req)
		s.equal(whole, ok(s, want, err))
		if len(whole.Kvs) > 12 && len(f.chunks[0].Kvs) != firstChunkKeys {
			t.Errorf("%v: first chunk has %d keys", req, len(f.chunks[0].Kvs))
		}
	}
	for _, refused := range []struct {
		req  *pb.RangeRequest
		want error
	}{
		{&pb.RangeRequest{Key: []byte("k"), SortOrder: pb.RangeRequest_DESCEND}, errStreamSorted},
		{&pb.RangeRequest{Key: []byte("k"), SortOrder: pb.RangeRequest_ASCEND, SortTarget: pb.RangeRequest_MOD, MinModRevision: 1}, errStreamSorted},
		{&pb.RangeRequest{Key: []byte("k"), MaxCreateRevision: 1}, errStreamFiltered},
		{&pb.RangeRequest{Key: []byte("k"), SortTarget: pb.RangeRequest_MOD}, nil}, // no order: no sort, to etcd
	} {
		if err := s.svc.RangeStream(refused.req, &fakeRangeStream{}); err != refused.want {
			t.Errorf("%v: %v", refused.req, err)
		}
	}
}

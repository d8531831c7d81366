package grpcproxy

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/holdfast-db/holdfast/internal/servertest"
)

// watching reads a watch's events as words such as "PUT a=1".
type watching struct {
	t  *testing.T
	ch clientv3.WatchChan
}

func watch(t *testing.T, c *clientv3.Client, key string, opts ...clientv3.OpOption) *watching {
	t.Helper()
	w := &watching{t, c.Watch(t.Context(), key, append(opts, clientv3.WithCreatedNotify())...)}
	if r := w.next(); !r.Created {
		t.Fatalf("%+v instead of a created watch", r)
	}
	return w
}

func (w *watching) next() clientv3.WatchResponse {
	w.t.Helper()
	select {
	case r := <-w.ch:
		return r
	case <-time.After(10 * time.Second):
		w.t.Fatal("nothing came")
	}
	panic("unreachable")
}

// expect reads until it has as many events as are wanted.
func (w *watching) expect(want ...string) {
	w.t.Helper()
	var got []string
	for len(got) < len(want) {
		r := w.next()
		if err := r.Err(); err != nil {
			w.t.Fatal(err)
		}
		for _, ev := range r.Events {
			text := fmt.Sprintf("%s %s=%s", ev.Type, ev.Kv.Key, ev.Kv.Value)
			if ev.PrevKv != nil {
				text += fmt.Sprintf(" was %s=%s", ev.PrevKv.Key, ev.PrevKv.Value)
			}
			got = append(got, text)
		}
	}
	if strings.Join(got, ", ") != strings.Join(want, ", ") {
		w.t.Errorf("%q, want %q", got, want)
	}
}

// TestWatchersShare: two clients that watch the same keys cost the member one watcher, and each gets what it asked for.
func TestWatchersShare(t *testing.T) {
	member, _ := servertest.Start(t)
	p := startProxy(t, member)
	one, two, writer := connect(t, p.Addr()), connect(t, p.Addr()), connect(t, p.Addr())
	ctx := soon(t)
	must(writer.Put(ctx, "a", "0"))(t)
	before := memberWatchers(t, member)
	plain := watch(t, one, "a")
	previous := watch(t, two, "a", clientv3.WithPrevKV())
	deletes := watch(t, two, "a", clientv3.WithFilterPut())
	if n := memberWatchers(t, member) - before; n != 1 {
		t.Errorf("%d watchers at the member for three of clients", n)
	}
	if n := value(t, p.meter.watchersCoalescing); n != 2 {
		t.Errorf("%v riders beyond the first", n)
	}
	must(writer.Put(ctx, "a", "1"))(t)
	must(writer.Delete(ctx, "a"))(t)
	plain.expect("PUT a=1", "DELETE a=")
	previous.expect("PUT a=1 was a=0", "DELETE a= was a=1")
	deletes.expect("DELETE a=")
	one.Close()
	two.Close()
	until(t, "the member's watcher is gone", func() bool { return memberWatchers(t, member) == before })
	if n := value(t, p.meter.watchersCoalescing); n != 0 {
		t.Errorf("%v riders are left", n)
	}
}

// TestJoinAtARevision: who begins where the ride has not passed yet rides along, who begins in the past gets a ride
// of its own, and who begins at the present doesn't see what was before.
func TestJoinAtARevision(t *testing.T) {
	member, _ := servertest.Start(t)
	p := startProxy(t, member)
	c := connect(t, p.Addr())
	ctx := soon(t)
	base := memberWatchers(t, member)
	first := watch(t, c, "a")
	must(c.Put(ctx, "a", "1"))(t) // revision 2
	first.expect("PUT a=1")
	past := watch(t, c, "a", clientv3.WithRev(2))
	past.expect("PUT a=1")
	if n := memberWatchers(t, member) - base; n != 2 {
		t.Errorf("%d watchers, want the shared one and one for the past", n)
	}
	future := watch(t, c, "a", clientv3.WithRev(4))
	must(c.Put(ctx, "a", "2"))(t) // revision 3
	present := watch(t, c, "a")
	if n := memberWatchers(t, member) - base; n != 2 {
		t.Errorf("%d watchers: the last two should have joined", n)
	}
	must(c.Put(ctx, "a", "3"))(t) // revision 4
	first.expect("PUT a=2", "PUT a=3")
	past.expect("PUT a=2", "PUT a=3")
	future.expect("PUT a=3")
	present.expect("PUT a=3")
}

// TestJoinBeforeAFutureRide: who watches from now on hears of what comes next, also if somebody else has begun to
// watch the same key from a revision that is far away.
func TestJoinBeforeAFutureRide(t *testing.T) {
	_, through, direct := behind(t)
	ctx := soon(t)
	later := create(t, rawStream(t, through), &pb.WatchCreateRequest{Key: []byte("a"), StartRevision: 1000})
	second := create(t, rawStream(t, through), &pb.WatchCreateRequest{Key: []byte("a"), StartRevision: 1000})
	s := must(pb.NewWatchClient(through.ActiveConnection()).Watch(ctx))(t)
	now := create(t, s, &pb.WatchCreateRequest{Key: []byte("a")})
	for _, r := range []*pb.WatchResponse{later, second, now} {
		if r.Header.Revision != 1 {
			t.Errorf("created at revision %d of a store that is at 1", r.Header.Revision)
		}
	}
	must(direct.Put(ctx, "a", "1"))(t)
	if r := must(s.Recv())(t); len(r.Events) != 1 || string(r.Events[0].Kv.Value) != "1" {
		t.Error(r)
	}
}

// TestPresentIsAfterOwnWrites: whoever puts and then watches doesn't see the put, however fast.
func TestPresentIsAfterOwnWrites(t *testing.T) {
	_, through, _ := behind(t)
	ctx := soon(t)
	watch(t, through, "a") // the ride
	for i := range 50 {
		must(through.Put(ctx, "a", fmt.Sprint(i)))(t)
		w := watch(t, through, "a")
		must(through.Put(ctx, "a", "next"))(t)
		w.expect("PUT a=next")
	}
}

// TestWatchInASpace: keys and ends are the client's, previous values too.
func TestWatchInASpace(t *testing.T) {
	_, through, direct := behind(t, func(c *Config) { c.Namespace = "a/" })
	ctx := soon(t)
	w := watch(t, through, "", clientv3.WithPrefix(), clientv3.WithPrevKV())
	must(direct.Put(ctx, "b/k", "not this"))(t)
	must(direct.Put(ctx, "a/k", "1"))(t)
	must(through.Put(ctx, "k", "2"))(t)
	w.expect("PUT k=1", "PUT k=2 was k=1")
}

// TestCompactedWatch: the client hears from where on there is history.
func TestCompactedWatch(t *testing.T) {
	_, through, direct := behind(t)
	ctx := soon(t)
	for range 5 {
		must(direct.Put(ctx, "a", ""))(t)
	}
	must(through.Compact(ctx, 5))(t)
	r := <-through.Watch(ctx, "a", clientv3.WithRev(2))
	if r.Err() != rpctypes.ErrCompacted || r.CompactRevision != 5 {
		t.Errorf("%+v", r)
	}
}

// rawStream is a watch stream without a client library that would tidy up.
func rawStream(t *testing.T, c *clientv3.Client) pb.Watch_WatchClient {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	return must(pb.NewWatchClient(c.ActiveConnection()).Watch(ctx))(t)
}

func create(t *testing.T, s pb.Watch_WatchClient, r *pb.WatchCreateRequest) *pb.WatchResponse {
	t.Helper()
	if err := s.Send(&pb.WatchRequest{RequestUnion: &pb.WatchRequest_CreateRequest{CreateRequest: r}}); err != nil {
		t.Fatal(err)
	}
	return must(s.Recv())(t)
}

// TestWatchIDs: chosen ones count, none is given twice, a refusal is one in a member's words.
func TestWatchIDs(t *testing.T) {
	_, through, direct := behind(t)
	for name, c := range map[string]*clientv3.Client{"through": through, "direct": direct} {
		s := rawStream(t, c)
		var got []string
		for _, r := range []*pb.WatchCreateRequest{
			{Key: []byte("a")}, {Key: []byte("a"), WatchId: 1}, {Key: []byte("a")}, {Key: []byte("a"), WatchId: 1},
			{Key: []byte("b"), RangeEnd: []byte("a")}, {Key: []byte("a"), StartRevision: -1}, {Key: []byte("a"), WatchId: 7},
		} {
			resp := create(t, s, r)
			got = append(got, fmt.Sprintf("%d %t %t %s", resp.WatchId, resp.Created, resp.Canceled, resp.CancelReason))
		}
		if err := s.Send(&pb.WatchRequest{RequestUnion: &pb.WatchRequest_CancelRequest{CancelRequest: &pb.WatchCancelRequest{WatchId: 7}}}); err != nil {
			t.Fatal(err)
		}
		resp := must(s.Recv())(t)
		got = append(got, fmt.Sprintf("%d %t %t", resp.WatchId, resp.Created, resp.Canceled))
		want := strings.Join([]string{
			"0 true false ", "1 true false ", "2 true false ", "-1 true true mvcc: duplicate watch ID provided on the WatchStream",
			"-1 true true mvcc: watcher range is empty", "-1 true true etcdserver: mvcc: required revision has been compacted", "7 true false ", "7 false true",
		}, "\n")
		if strings.Join(got, "\n") != want {
			t.Errorf("%s:\n%s\nwant\n%s", name, strings.Join(got, "\n"), want)
		}
	}
}

// TestFragments: a large response comes in parts, to whom takes parts.
func TestFragments(t *testing.T) {
	_, through, direct := behind(t)
	ctx := soon(t)
	parts, whole := rawStream(t, through), rawStream(t, through)
	create(t, parts, &pb.WatchCreateRequest{Key: []byte("a"), RangeEnd: []byte("b"), Fragment: true, PrevKv: true})
	create(t, whole, &pb.WatchCreateRequest{Key: []byte("a"), RangeEnd: []byte("b"), PrevKv: true})
	value := strings.Repeat("v", 700<<10)
	for range 2 {
		must(direct.Txn(ctx).Then(clientv3.OpPut("a1", value), clientv3.OpPut("a2", value)).Commit())(t)
	}
	var got []string // events with previous values are 1.4 MiB each
	for range 3 {
		r := must(parts.Recv())(t)
		got = append(got, fmt.Sprintf("%d %t", len(r.Events), r.Fragment))
	}
	if want := "2 false, 1 true, 1 false"; strings.Join(got, ", ") != want {
		t.Errorf("%q, want %q", got, want)
	}
	for range 2 {
		if r := must(whole.Recv())(t); r.Fragment || len(r.Events) != 2 {
			t.Errorf("%d events, in parts: %t", len(r.Events), r.Fragment)
		}
	}
}

// TestSlowWatcher: a client that doesn't read holds up nobody, and gets everything in the end.
func TestSlowWatcher(t *testing.T) {
	p, through, direct := behind(t)
	ctx := soon(t)
	slow := rawStream(t, connect(t, p.Addr()))
	create(t, slow, &pb.WatchCreateRequest{Key: []byte("a")})
	fast := watch(t, through, "a")
	value := strings.Repeat("v", 512<<10)
	const puts = 44 // 22 MiB: more than a stream's queue and gRPC's windows hold
	for i := range puts {
		must(direct.Put(ctx, "a", fmt.Sprintf("%d %s", i, value)))(t)
		if r := fast.next(); len(r.Events) != 1 {
			t.Fatalf("%d events", len(r.Events))
		}
	}
	for i := 0; i < puts; {
		for _, ev := range must(slow.Recv())(t).Events {
			if !strings.HasPrefix(string(ev.Kv.Value), fmt.Sprintf("%d ", i)) {
				t.Fatalf("event %d is of put %.5s", i, ev.Kv.Value)
			}
			i++
		}
	}
}

// TestProgress: the answer says how far the whole stream is, and comes behind the events.
func TestProgress(t *testing.T) {
	_, through, direct := behind(t)
	ctx := soon(t)
	s := rawStream(t, through)
	ask := func() int64 {
		t.Helper()
		if err := s.Send(&pb.WatchRequest{RequestUnion: &pb.WatchRequest_ProgressRequest{ProgressRequest: &pb.WatchProgressRequest{}}}); err != nil {
			t.Fatal(err)
		}
		for {
			r := must(s.Recv())(t)
			if r.WatchId == noWatch && len(r.Events) == 0 && !r.Created {
				return r.Header.Revision
			}
		}
	}
	create(t, s, &pb.WatchCreateRequest{Key: []byte("a")})
	create(t, s, &pb.WatchCreateRequest{Key: []byte("b")})
	create(t, rawStream(t, through), &pb.WatchCreateRequest{Key: []byte("a")})
	for i := range 20 {
		revision := must(direct.Put(ctx, "a", ""))(t).Header.Revision
		if got := ask(); got < revision {
			t.Errorf("round %d: %d, and %d is acknowledged", i, got, revision)
		}
	}
}

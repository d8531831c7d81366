package api

import (
	"bytes"
	"cmp"
	"context"
	"math"
	"slices"
	"testing"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/mvccpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	"github.com/holdfast-db/holdfast/internal/fuzz"
	"github.com/holdfast-db/holdfast/mvcc"
)

// The targets here give a service the bytes of a request, as they come off the
// wire. Each request is carried out, or refused in etcd's words, and then nothing
// has changed.

// fuzzed is a service with some history: a, b and c at revisions 2 to 6, of which
// 3 is compacted, b deleted and c on the lease 7.
func fuzzed(test *testing.T) *tester {
	s := newTester(test)
	_, err := s.svc.LeaseGrant(bg, &pb.LeaseGrantRequest{ID: 7, TTL: 60})
	ok(s, 0, err)
	s.put("a", "1")
	s.put("b", "2")
	s.put("a", "3")
	_, err = s.svc.DeleteRange(bg, &pb.DeleteRangeRequest{Key: []byte("b")})
	ok(s, 0, err)
	_, err = s.svc.Put(bg, &pb.PutRequest{Key: []byte("c"), Value: []byte("4"), Lease: 7})
	ok(s, 0, err)
	_, err = s.svc.Compact(bg, &pb.CompactionRequest{Revision: 3})
	return ok(s, s, err)
}

// settled checks what a request did: one revision more if it changed something,
// none if it was refused.
func (t *tester) settled(before int64, err error) {
	t.Helper()
	after := t.b.Head().Revision
	switch {
	case err == nil && after != before && after != before+1:
		t.Fatalf("revision %d, before %d", after, before)
	case err != nil && after != before:
		t.Fatalf("refused with %v, and changed something", err)
	}
	t.refused(err)
}

// refused checks that an error is one of etcd's, which its clients know.
func (t *tester) refused(err error) {
	t.Helper()
	if err == nil || err == errStreamSorted || err == errStreamFiltered { // which its table lacks
		return
	}
	if _, known := rpctypes.Error(err).(rpctypes.EtcdError); !known {
		t.Fatalf("etcd has no error %v", err)
	}
}

// wire are the seeds of a target.
func wire(f *testing.F, requests ...proto.Message) {
	for _, r := range requests {
		b, err := proto.Marshal(r)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
}

// target decodes requests and runs each on a service of its own.
func target[R proto.Message](f *testing.F, fresh func() R, run func(*tester, R)) {
	f.Fuzz(func(t *testing.T, b []byte) {
		r := fresh()
		if proto.Unmarshal(b, r) != nil {
			return
		}
		run(fuzzed(t), r)
	})
}

func FuzzRange(f *testing.F) {
	k, all := []byte("a"), []byte{0}
	wire(f, &pb.RangeRequest{}, &pb.RangeRequest{Key: k}, &pb.RangeRequest{Key: all, RangeEnd: all, Limit: 1, Revision: 4},
		&pb.RangeRequest{Key: all, RangeEnd: all, SortOrder: pb.RangeRequest_DESCEND, SortTarget: pb.RangeRequest_MOD, KeysOnly: true},
		&pb.RangeRequest{Key: k, RangeEnd: []byte("c"), Revision: 2, Serializable: true}, &pb.RangeRequest{Key: k, Revision: 99, Serializable: true},
		&pb.RangeRequest{Key: all, RangeEnd: all, CountOnly: true, MinModRevision: 3, MaxCreateRevision: 5},
		&pb.RangeRequest{Key: k, SortOrder: 3}, &pb.RangeRequest{Key: k, SortTarget: -1}, &pb.RangeRequest{Key: k, Limit: math.MinInt64, Revision: math.MinInt64})
	target(f, func() *pb.RangeRequest { return &pb.RangeRequest{} }, func(t *tester, r *pb.RangeRequest) {
		resp, err := t.svc.Range(bg, r)
		t.settled(6, err)
		if err == nil {
			t.fits(r, resp)
		}
		stream := &chunks{}
		if streamed := t.svc.RangeStream(r, stream); streamed == nil && err == nil {
			t.equal(stream.keys, keysOf(resp.Kvs))
		} else {
			t.refused(streamed)
		}
	})
}

// fits: an answer is within what was asked for.
func (t *tester) fits(r *pb.RangeRequest, resp *pb.RangeResponse) {
	n := int64(len(resp.Kvs))
	if r.Limit > 0 && n > r.Limit || n > resp.Count || r.CountOnly && n > 0 || resp.Header.Revision != 6 {
		t.Fatalf("%v of %v", resp, r)
	}
	for _, kv := range resp.Kvs {
		after := bytes.Compare(kv.Key, r.Key)
		within := after == 0
		if len(r.RangeEnd) > 0 {
			within = after >= 0 && (bytes.Equal(r.RangeEnd, []byte{0}) || bytes.Compare(kv.Key, r.RangeEnd) < 0)
		}
		if !within || r.KeysOnly && len(kv.Value) > 0 {
			t.Fatalf("%v of %v", kv, r)
		}
	}
	if r.SortOrder == pb.RangeRequest_DESCEND && r.SortTarget == pb.RangeRequest_KEY &&
		!slices.IsSortedFunc(resp.Kvs, func(a, b *mvccpb.KeyValue) int { return -bytes.Compare(a.Key, b.Key) }) {
		t.Fatalf("%v of %v", resp, r)
	}
}

// chunks is the client of a streamed range.
type chunks struct{ keys []string }

func (c *chunks) Context() context.Context { return bg }

func (c *chunks) Send(r *pb.RangeStreamResponse) error {
	c.keys = append(c.keys, keysOf(r.GetRangeResponse().GetKvs())...)
	return nil
}

func keysOf(kvs []*mvccpb.KeyValue) (keys []string) {
	for _, kv := range kvs {
		keys = append(keys, string(kv.Key))
	}
	return keys
}

func FuzzPut(f *testing.F) {
	k := []byte("a")
	wire(f, &pb.PutRequest{}, &pb.PutRequest{Key: k, Value: k, PrevKv: true}, &pb.PutRequest{Key: k, Lease: 7}, &pb.PutRequest{Key: k, Lease: -1},
		&pb.PutRequest{Key: k, IgnoreValue: true, IgnoreLease: true}, &pb.PutRequest{Key: k, Value: k, IgnoreValue: true},
		&pb.PutRequest{Key: []byte("b"), IgnoreLease: true}, &pb.PutRequest{Key: k, Lease: 7, IgnoreLease: true})
	target(f, func() *pb.PutRequest { return &pb.PutRequest{} }, func(t *tester, r *pb.PutRequest) {
		resp, err := t.svc.Put(bg, r)
		t.settled(6, err)
		if err != nil {
			return
		}
		got, err := t.svc.Range(bg, &pb.RangeRequest{Key: r.Key})
		kv := ok(t, got, err).Kvs[0]
		if resp.Header.Revision != 7 || kv.ModRevision != 7 || !r.IgnoreValue && !bytes.Equal(kv.Value, r.Value) || !r.IgnoreLease && kv.Lease != r.Lease {
			t.Fatalf("%v put %v", r, kv)
		}
	})
}

func FuzzDeleteRange(f *testing.F) {
	k, all := []byte("a"), []byte{0}
	wire(f, &pb.DeleteRangeRequest{}, &pb.DeleteRangeRequest{Key: k}, &pb.DeleteRangeRequest{Key: all, RangeEnd: all, PrevKv: true},
		&pb.DeleteRangeRequest{Key: []byte("c"), RangeEnd: k}, &pb.DeleteRangeRequest{Key: k, RangeEnd: []byte("c")}, &pb.DeleteRangeRequest{Key: []byte("x")})
	target(f, func() *pb.DeleteRangeRequest { return &pb.DeleteRangeRequest{} }, func(t *tester, r *pb.DeleteRangeRequest) {
		there, rangeErr := t.svc.Range(bg, &pb.RangeRequest{Key: r.Key, RangeEnd: r.RangeEnd})
		resp, err := t.svc.DeleteRange(bg, r)
		t.settled(6, err)
		if (err == nil) != (rangeErr == nil) {
			t.Fatalf("%v: %v, as a range %v", r, err, rangeErr)
		}
		if err == nil && (resp.Deleted != there.Count || (resp.Header.Revision == 7) != (there.Count > 0)) {
			t.Fatalf("%v deleted %v of %v", r, resp, there)
		}
	})
}

func FuzzTxn(f *testing.F) {
	all := &pb.RequestOp{Request: &pb.RequestOp_RequestRange{RequestRange: &pb.RangeRequest{Key: []byte{0}, RangeEnd: []byte{0}, Limit: 2}}}
	wire(f, &pb.TxnRequest{}, &pb.TxnRequest{Success: ops(put("a", "1"), get("a"), nested(ops(put("b", "2")), ops(del("c", ""))), del("x", ""))},
		&pb.TxnRequest{Success: ops(put("a", "1"), put("a", "2"))}, &pb.TxnRequest{Failure: ops(put("a", "1"), del("a", "c"))},
		&pb.TxnRequest{Compare: []*pb.Compare{{Key: []byte("a"), Target: pb.Compare_MOD, TargetUnion: &pb.Compare_ModRevision{ModRevision: 4}}}, Success: ops(all)},
		&pb.TxnRequest{Compare: []*pb.Compare{{Key: []byte("c"), RangeEnd: []byte{0}, Result: pb.Compare_NOT_EQUAL, Target: pb.Compare_LEASE}}, Failure: ops(&pb.RequestOp{})},
		deep(8), deep(9), &pb.TxnRequest{Success: ops(nested(nil, ops(del("a", "z"))), put("b", "1"))})
	target(f, func() *pb.TxnRequest { return &pb.TxnRequest{} }, func(t *tester, r *pb.TxnRequest) {
		resp, err := t.svc.Txn(bg, r)
		t.settled(6, err)
		branch := r.Failure
		if resp.GetSucceeded() {
			branch = r.Success
		}
		if err == nil && len(resp.Responses) != len(branch) {
			t.Fatalf("%v answers %v", resp, r)
		}
		if again, err := proto.Marshal(resp); err != nil {
			t.Fatalf("%v: %x, %v", resp, again, err)
		}
	})
}

// FuzzCompare: a compare of one key in a transaction holds if it does for who
// looks at the key with a range.
func FuzzCompare(f *testing.F) {
	for _, target := range []pb.Compare_CompareTarget{pb.Compare_VERSION, pb.Compare_CREATE, pb.Compare_MOD, pb.Compare_LEASE} {
		wire(f, &pb.Compare{Key: []byte("a"), Target: target, Result: pb.Compare_GREATER}, &pb.Compare{Key: []byte("b"), Target: target, Result: pb.Compare_LESS})
	}
	wire(f, &pb.Compare{Key: []byte("c"), Target: pb.Compare_VALUE, TargetUnion: &pb.Compare_Value{Value: []byte("4")}}, &pb.Compare{Key: []byte("a"), Result: 9},
		&pb.Compare{Key: []byte("a"), Target: pb.Compare_CREATE, TargetUnion: &pb.Compare_CreateRevision{CreateRevision: 2}, Result: pb.Compare_NOT_EQUAL})
	target(f, func() *pb.Compare { return &pb.Compare{} }, func(t *tester, c *pb.Compare) {
		c.RangeEnd = nil
		resp, err := t.svc.Txn(bg, &pb.TxnRequest{Compare: []*pb.Compare{c}})
		t.settled(6, err)
		if _, known := pb.Compare_CompareTarget_name[int32(c.Target)]; err != nil || !known {
			return
		}
		got, err := t.svc.Range(bg, &pb.RangeRequest{Key: c.Key})
		if want := holds(c, ok(t, got, err).Kvs); resp.Succeeded != want {
			t.Fatalf("%v of %v holds: %v", c, got.Kvs, resp.Succeeded)
		}
	})
}

func holds(c *pb.Compare, kvs []*mvccpb.KeyValue) bool {
	kv := &mvccpb.KeyValue{}
	if len(kvs) > 0 {
		kv = kvs[0]
	}
	sign := 0
	switch c.Target {
	case pb.Compare_VERSION:
		sign = cmp.Compare(kv.Version, c.GetVersion())
	case pb.Compare_CREATE:
		sign = cmp.Compare(kv.CreateRevision, c.GetCreateRevision())
	case pb.Compare_MOD:
		sign = cmp.Compare(kv.ModRevision, c.GetModRevision())
	case pb.Compare_LEASE:
		sign = cmp.Compare(kv.Lease, c.GetLease())
	case pb.Compare_VALUE:
		if len(kvs) == 0 { // no value is equal to none
			return false
		}
		sign = bytes.Compare(kv.Value, c.GetValue())
	}
	switch c.Result {
	case pb.Compare_EQUAL:
		return sign == 0
	case pb.Compare_GREATER:
		return sign > 0
	case pb.Compare_LESS:
		return sign < 0
	case pb.Compare_NOT_EQUAL:
		return sign != 0
	}
	return true
}

// FuzzWatchCreate: a watch is created, refused in etcd's words, or ended at once by
// a compaction; one that was created gets the history that it asked for.
func FuzzWatchCreate(f *testing.F) {
	k, all := []byte("a"), []byte{0}
	wire(f, &pb.WatchCreateRequest{}, &pb.WatchCreateRequest{Key: k}, &pb.WatchCreateRequest{Key: all, RangeEnd: all, StartRevision: 4, PrevKv: true},
		&pb.WatchCreateRequest{Key: k, StartRevision: 2}, &pb.WatchCreateRequest{Key: k, StartRevision: -1}, &pb.WatchCreateRequest{Key: k, RangeEnd: k},
		&pb.WatchCreateRequest{Key: k, WatchId: -1}, &pb.WatchCreateRequest{Key: k, WatchId: math.MaxInt64, Fragment: true, ProgressNotify: true},
		&pb.WatchCreateRequest{Key: all, RangeEnd: all, StartRevision: 3, Filters: []pb.WatchCreateRequest_FilterType{pb.WatchCreateRequest_NOPUT, 7}},
		&pb.WatchCreateRequest{Key: k, StartRevision: math.MaxInt64})
	target(f, func() *pb.WatchCreateRequest { return &pb.WatchCreateRequest{} }, func(t *tester, r *pb.WatchCreateRequest) {
		q := newWatchQueue()
		stream := t.b.OpenWatch(q.push)
		defer stream.Close()
		stream.Grant(watchCredit)
		t.svc.createWatch(bg, stream, q, watchFromPB(r))
		got := q.take()
		if len(got) == 0 || !got[0].Created {
			t.Fatalf("%v: %+v", r, got)
		}
		if got[0].Canceled {
			if text := got[0].CancelReason; !slices.Contains(refusals, text) || len(got) != 1 {
				t.Fatalf("%v is refused with %q", r, text)
			}
			return
		}
		t.watched(r, got)
	})
}

// refusals are etcd's words for watches that can't be.
var refusals = []string{mvcc.ErrCompacted.Error(), mvcc.ErrWatcherRange.Error(), mvcc.ErrDuplicateWatch.Error()}

func (t *tester) watched(r *pb.WatchCreateRequest, got []mvcc.WatchResponse) {
	if gone := r.StartRevision != 0 && r.StartRevision < 3; gone != got[len(got)-1].Canceled {
		t.Fatalf("%v after a compaction at 3: %+v", r, got)
	}
	for _, response := range got {
		if response.ID != got[0].ID {
			t.Fatalf("%v: %+v", r, got)
		}
		for _, e := range response.Events {
			if e.KV.ModRevision < r.StartRevision || r.StartRevision == 0 || e.Prev != nil && !r.PrevKv {
				t.Fatalf("%v got %+v", r, e)
			}
		}
	}
}

// TestSharesModel and FuzzShares: the share that streams have of their connection's
// watchers is what they asked for less what ended, and nothing when all are closed.
func TestSharesModel(t *testing.T) { rapid.Check(t, sharesModel) }

func FuzzShares(f *testing.F) { fuzz.Model(f, sharesModel) }

func sharesModel(t *rapid.T) {
	all := newShares(rapid.IntRange(1, 6).Draw(t, "max"))
	streams := []*watcherShare{{all: all, who: "a"}}
	held := map[*watcherShare]int{}
	hosts := rapid.SampledFrom([]string{"a", "b"})
	pick := func(t *rapid.T) *watcherShare {
		return rapid.SampledFrom(streams).Draw(t, "stream")
	}
	of := func(who any) (n int) {
		for _, w := range streams {
			if w.who == who {
				n += held[w]
			}
		}
		return n
	}
	t.Repeat(map[string]func(*rapid.T){
		"open": func(t *rapid.T) { streams = append(streams, &watcherShare{all: all, who: hosts.Draw(t, "host")}) },
		"take": func(t *rapid.T) {
			w := pick(t)
			got := w.take()
			if !w.closed {
				held[w]++
			}
			if want := !w.closed && of(w.who) <= all.max; got != want {
				t.Fatalf("a watcher more: %v, with %d of %d", got, of(w.who), all.max)
			}
		},
		"sent": func(t *rapid.T) {
			w := pick(t)
			over := rapid.IntRange(0, held[w]).Draw(t, "over")
			responses := make([]mvcc.WatchResponse, over+2)
			for i := range over {
				responses[i].Canceled = true
			}
			w.sent(responses)
			held[w] -= over
		},
		"close": func(t *rapid.T) {
			w := pick(t)
			if !w.closed {
				w.close()
			}
			held[w] = 0
		},
		"": func(t *rapid.T) {
			for _, host := range []string{"a", "b"} {
				if got, there := all.has[host]; got != of(host) || there != (got > 0) {
					t.Fatalf("%s has %d, want %d", host, got, of(host))
				}
			}
		},
	})
}

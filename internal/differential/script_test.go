package differential

import (
	"bytes"
	"fmt"
	"testing"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
)

func put(key, value string) Step {
	return Call{"Put", &pb.PutRequest{Key: []byte(key), Value: []byte(value)}}
}

func compact(revision int64) Step {
	return Call{"Compact", &pb.CompactionRequest{Revision: revision}}
}

func hash(revision int64) Step { return Call{"HashKV", &pb.HashKVRequest{Revision: revision}} }

func create(stream int, c *pb.WatchCreateRequest) Step {
	return Watch{Stream: stream, Request: &pb.WatchRequest{RequestUnion: &pb.WatchRequest_CreateRequest{CreateRequest: c}}}
}

func cancel(stream int, id int64) Step {
	return Watch{Stream: stream, Request: &pb.WatchRequest{RequestUnion: &pb.WatchRequest_CancelRequest{
		CancelRequest: &pb.WatchCancelRequest{WatchId: id}}}}
}

func progress(stream int) Step {
	return Watch{Stream: stream, Request: &pb.WatchRequest{RequestUnion: &pb.WatchRequest_ProgressRequest{
		ProgressRequest: &pb.WatchProgressRequest{}}}}
}

// nested is a put inside so many transactions.
func nested(levels int) Step {
	r := &pb.TxnRequest{Success: []*pb.RequestOp{{Request: &pb.RequestOp_RequestPut{RequestPut: &pb.PutRequest{Key: []byte("deep")}}}}}
	for range levels - 1 {
		r = &pb.TxnRequest{Success: []*pb.RequestOp{{Request: &pb.RequestOp_RequestTxn{RequestTxn: r}}}}
	}
	return Call{"Txn", r}
}

// txnOf is a transaction of many puts, of values of a size.
func txnOf(keys, size int) Step {
	r := &pb.TxnRequest{}
	for i := range keys {
		r.Success = append(r.Success, &pb.RequestOp{Request: &pb.RequestOp_RequestPut{
			RequestPut: &pb.PutRequest{Key: fmt.Appendf(nil, "t%02d", i), Value: bytes.Repeat([]byte{byte('a' + i)}, size)}}})
	}
	return Call{"Txn", r}
}

func grantAndRevoke(ttl int64) []Step {
	return []Step{
		Call{"LeaseGrant", &pb.LeaseGrantRequest{ID: 9, TTL: ttl}},
		Call{"LeaseTimeToLive", &pb.LeaseTimeToLiveRequest{ID: 9}},
		Call{"LeaseRevoke", &pb.LeaseRevokeRequest{ID: 9}},
	}
}

// scripts are steps that chance would rarely make, in an order that is part of the point. They run on one pair of
// servers, one after the other.
func scripts() []Step {
	all := []byte{0}
	s := []Step{
		// A first compaction at 0 passes; its hash is what HashKV of 0, the present, then answers.
		compact(-1), compact(0), hash(0), hash(1), compact(0), compact(-1),
		put("a", "1"), put("a", "2"), put("b", "1"), hash(0), compact(2), hash(2), hash(1), hash(3), compact(9),
		// Nesting costs one operation a level, of 16.
		nested(1), nested(8), nested(9), nested(16), nested(17), txnOf(16, 1), txnOf(17, 1),
		// A stream without a watcher says nothing of progress; unknown ids are ignored; ids.
		Watch{Stream: 1, Bare: true, Request: &pb.WatchRequest{}}, progress(1), cancel(1, 7),
		create(1, &pb.WatchCreateRequest{Key: []byte("a"), WatchId: 3}), create(1, &pb.WatchCreateRequest{Key: []byte("a"), WatchId: 3}),
		create(1, &pb.WatchCreateRequest{Key: []byte("a")}), create(1, &pb.WatchCreateRequest{}),
		create(1, &pb.WatchCreateRequest{Key: []byte("b"), RangeEnd: []byte("a")}),
		create(1, &pb.WatchCreateRequest{Key: []byte("b"), RangeEnd: []byte("b")}),
		create(1, &pb.WatchCreateRequest{Key: []byte("a"), RangeEnd: all, StartRevision: -1}),
		create(1, &pb.WatchCreateRequest{Key: []byte("a"), RangeEnd: all, StartRevision: 2, PrevKv: true}), progress(1),
		cancel(1, 3), cancel(1, 3), create(1, &pb.WatchCreateRequest{Key: []byte("a"), WatchId: 3}), put("a", "3"), CloseWatch{1},
		create(1, &pb.WatchCreateRequest{Key: []byte("a"), StartRevision: 1}), CloseWatch{1},
		// Large revisions come whole or in fragments.
		create(1, &pb.WatchCreateRequest{Key: all, RangeEnd: all, PrevKv: true, Fragment: true}),
		create(1, &pb.WatchCreateRequest{Key: all, RangeEnd: all, PrevKv: true}),
		txnOf(14, 100<<10), txnOf(14, 100<<10), CloseWatch{1},
		// Requests that are too large, for the log and for gRPC.
		put("large", string(make([]byte, 1400<<10))), put("large", string(make([]byte, 1600<<10))), put("large", string(make([]byte, 3<<20))),
		Call{"LeaseGrant", &pb.LeaseGrantRequest{TTL: 3600}},
		RangeStream{&pb.RangeRequest{Key: all, RangeEnd: all}}, RangeStream{&pb.RangeRequest{Key: all, RangeEnd: all, KeysOnly: true, Limit: 7}},
		Call{"DeleteRange", &pb.DeleteRangeRequest{Key: all, RangeEnd: all}},
	}
	for _, ttl := range []int64{0, -1, 1, 2, 3, -1 << 63} {
		s = append(s, grantAndRevoke(ttl)...)
	}
	for i := range 45 {
		s = append(s, put(fmt.Sprintf("n%02d", i*7%45), fmt.Sprint(i*13%45)))
	}
	for target := range 5 {
		for order := range 3 {
			for _, limit := range []int64{0, 1, 20, 45} {
				r := &pb.RangeRequest{Key: []byte("n"), RangeEnd: []byte("o"), Limit: limit,
					SortOrder: pb.RangeRequest_SortOrder(order), SortTarget: pb.RangeRequest_SortTarget(target)}
				if target == int(pb.RangeRequest_VERSION) { // all the same: etcd's sort leaves ties in no order
					r.Limit, r.CountOnly = 0, true
				}
				s = append(s, Call{"Range", r})
				if order == 0 && target == 0 {
					s = append(s, RangeStream{r})
				}
			}
		}
	}
	return s
}

func TestScripts(t *testing.T) {
	p := startPair(t)
	steps := scripts()
	for i, s := range steps {
		if _, d := p.Do(t.Context(), s); d != nil {
			t.Fatalf("step %d: %s", i+1, d)
		}
	}
	t.Logf("%d steps, revision %d", len(steps), p.revision)
}

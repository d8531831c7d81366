package differential

import (
	"math"
	"math/rand/v2"
	"slices"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/grpc/health/grpc_health_v1"
)

// Generator draws steps. It listens to what came of them, so that revisions, leases and watchers that it names often
// exist, and often just don't.
type Generator struct {
	random    *rand.Rand
	revision  int64
	compacted int64
	leases    map[int64]bool
	alarm     pb.AlarmType // the one that is raised
}

// NewGenerator returns a generator whose steps, given the same replies, depend on the seed only.
func NewGenerator(seed uint64) *Generator {
	return &Generator{random: rand.New(rand.NewPCG(seed, 0)), revision: 1, leases: map[int64]bool{}}
}

// The keys are so few that ranges, deletes and transactions meet; and at most twelve, because etcd sorts longer lists
// with a sort that isn't stable, and keys that tie come in an order that is nobody's.
var keys = []string{"\x00", "a", "a\x00", "ab", "abc", "b", "ba", "c", "k1", "k2", "\xff", "\xff\xff"}

var values = []string{"", "1", "2", "10", "value", "\x00\xff"}

const streams = 3

// Next draws a step; one in six goes through the gateway, if it can.
func (g *Generator) Next() Step { return g.byJSON(g.draw()) }

func (g *Generator) byJSON(s Step) Step { return g.maybeJSON(s, 6) }

// maybeJSON sends one in n steps through the gateway.
func (g *Generator) maybeJSON(s Step, n int) Step {
	if c, ok := s.(Call); ok && methods[c.Method].json != "" && g.one(n) {
		return JSON{Call: c, Camel: g.one(2)}
	}
	return s
}

func (g *Generator) draw() Step {
	if g.alarm != pb.AlarmType_NONE && g.one(12) {
		return Call{"Alarm", &pb.AlarmRequest{Action: pb.AlarmRequest_DEACTIVATE, MemberID: oneself, Alarm: g.alarm}}
	}
	switch n := g.random.IntN(1000); {
	case n < 250:
		return Call{"Put", g.put()}
	case n < 430:
		return Call{"Range", g.rangeRequest()}
	case n < 530:
		return g.rangeStream()
	case n < 600:
		return Call{"DeleteRange", g.deleteRange()}
	case n < 740:
		return Call{"Txn", spare(g.txn(0))}
	case n < 760:
		return Call{"Compact", &pb.CompactionRequest{Revision: g.compactTo(), Physical: g.one(2)}}
	case n < 840:
		return g.maybeJSON(g.lease(), 5)
	case n < 870:
		return Call{"HashKV", &pb.HashKVRequest{Revision: g.anyRevision()}}
	case n < 970:
		return g.watch()
	case n < 975:
		return g.raiseAlarm()
	default:
		return g.admin()
	}
}

// Done tells the generator what etcd answered.
func (g *Generator) Done(s Step, o outcome) {
	if r, ok := o.message.(interface{ GetHeader() *pb.ResponseHeader }); ok {
		g.revision = max(g.revision, r.GetHeader().GetRevision())
	}
	_, request := asked(s)
	if o.err != nil {
		return
	}
	switch r := request.(type) {
	case *pb.CompactionRequest:
		g.compacted = r.Revision
	case *pb.LeaseGrantRequest:
		g.leases[r.ID] = true
	case *pb.LeaseRevokeRequest:
		delete(g.leases, r.ID)
	case *pb.AlarmRequest:
		switch r.Action {
		case pb.AlarmRequest_ACTIVATE:
			g.alarm = r.Alarm
		case pb.AlarmRequest_DEACTIVATE:
			g.alarm = pb.AlarmType_NONE
		}
	}
}

// one is true once in n times.
func (g *Generator) one(n int) bool { return g.random.IntN(n) == 0 }

func pick[T any](g *Generator, of ...T) T { return of[g.random.IntN(len(of))] }

func (g *Generator) key() []byte {
	if g.one(60) {
		return nil
	}
	return []byte(pick(g, keys...))
}

func (g *Generator) end() []byte {
	switch n := g.random.IntN(10); {
	case n < 5:
		return nil
	case n < 7:
		return []byte{0}
	default:
		return []byte(pick(g, keys...))
	}
}

func (g *Generator) value() []byte { return []byte(pick(g, values...)) }

// anyRevision is 0 as often as not, else mostly one that can be read.
func (g *Generator) anyRevision() int64 {
	switch n := g.random.IntN(20); {
	case n < 10:
		return 0
	case n < 15:
		return g.live()
	case n < 17:
		return 1 + g.random.Int64N(g.revision)
	case n < 18:
		return g.compacted + int64(g.random.IntN(3)) - 1
	case n < 19:
		return g.revision + int64(g.random.IntN(3))
	default:
		return pick[int64](g, -1, -2, math.MinInt64, math.MaxInt64)
	}
}

// live is a revision that wasn't compacted.
func (g *Generator) live() int64 {
	return max(g.compacted, 1) + g.random.Int64N(g.revision-max(g.compacted, 1)+1)
}

// compactTo leaves some history most of the time.
func (g *Generator) compactTo() int64 {
	if g.one(3) {
		return g.anyRevision()
	}
	return min(g.live(), g.revision)
}

// bound is a filter's: mostly 0, which is none.
func (g *Generator) bound() int64 {
	if !g.one(8) {
		return 0
	}
	return pick(g, g.live(), g.revision, -1)
}

func (g *Generator) rangeRequest() *pb.RangeRequest {
	r := &pb.RangeRequest{Key: g.key(), RangeEnd: g.end(), Revision: g.anyRevision(),
		Serializable: g.one(3), KeysOnly: g.one(4), CountOnly: g.one(8),
		MinModRevision: g.bound(), MaxModRevision: g.bound(), MinCreateRevision: g.bound(), MaxCreateRevision: g.bound()}
	if g.one(2) {
		r.Limit = pick[int64](g, 1, 2, 3, 5, 11, 12, -1, math.MaxInt64, math.MaxInt64-1)
	}
	if g.one(2) {
		r.SortOrder, r.SortTarget = pb.RangeRequest_SortOrder(g.random.IntN(3)), pb.RangeRequest_SortTarget(g.random.IntN(5))
	}
	if g.one(50) {
		r.SortOrder, r.SortTarget = pick[pb.RangeRequest_SortOrder](g, 0, 3, -1), pick[pb.RangeRequest_SortTarget](g, 0, 5, -1)
	}
	return r
}

// rangeStream leaves a sort target without an order out: etcd sorts each chunk by itself then, and goes on after the
// key that came last in it.
func (g *Generator) rangeStream() Step {
	r := g.rangeRequest()
	if r.SortOrder == pb.RangeRequest_NONE {
		r.SortTarget = pb.RangeRequest_KEY
	}
	if g.one(2) {
		r.MinModRevision, r.MaxModRevision, r.MinCreateRevision, r.MaxCreateRevision = 0, 0, 0, 0
	}
	return RangeStream{r}
}

func (g *Generator) put() *pb.PutRequest {
	r := &pb.PutRequest{Key: g.key(), Value: g.value(), Lease: g.leaseID(), PrevKv: g.one(3)}
	if g.one(8) {
		r.IgnoreValue = true
		if !g.one(5) {
			r.Value = nil
		}
	}
	if g.one(8) {
		r.IgnoreLease = true
		if !g.one(3) {
			r.Lease = 0
		} else if g.one(2) {
			r.Lease = 1
		}
	}
	return r
}

func (g *Generator) deleteRange() *pb.DeleteRangeRequest {
	return &pb.DeleteRangeRequest{Key: g.key(), RangeEnd: g.end(), PrevKv: g.one(2)}
}

// txn draws one of a few operations. It nests, thinner and thinner.
func (g *Generator) txn(depth int) *pb.TxnRequest {
	r := &pb.TxnRequest{}
	for range g.random.IntN(3) {
		r.Compare = append(r.Compare, g.compare())
	}
	for range g.random.IntN(4) {
		r.Success = append(r.Success, g.op(depth))
	}
	for range g.random.IntN(3) {
		r.Failure = append(r.Failure, g.op(depth))
	}
	return r
}

// spare keeps a transaction from breaking etcd, whose check for overlaps takes a delete to the end ("\x00") for an empty
// one. A put of a key which the same transaction deleted so makes two lives of the key in one revision: if it keeps the
// old value or lease etcd panics, if not a compaction at that revision loses the key. Beside puts such a delete gets an
// end that is as good as none.
func spare(r *pb.TxnRequest) *pb.TxnRequest {
	if puts(r) {
		endDeletes(r)
	}
	return r
}

func puts(r *pb.TxnRequest) bool {
	return slices.ContainsFunc(slices.Concat(r.GetSuccess(), r.GetFailure()), func(op *pb.RequestOp) bool {
		return op.GetRequestPut() != nil || puts(op.GetRequestTxn())
	})
}

func endDeletes(r *pb.TxnRequest) {
	for _, op := range slices.Concat(r.GetSuccess(), r.GetFailure()) {
		if d := op.GetRequestDeleteRange(); string(d.GetRangeEnd()) == "\x00" {
			d.RangeEnd = []byte("\xff\xff\xff")
		}
		endDeletes(op.GetRequestTxn())
	}
}

func (g *Generator) op(depth int) *pb.RequestOp {
	switch n := g.random.IntN(100); {
	case n < 40:
		r := g.rangeRequest()
		if !g.one(4) {
			r.Revision = 0
		}
		return &pb.RequestOp{Request: &pb.RequestOp_RequestRange{RequestRange: r}}
	case n < 68:
		return &pb.RequestOp{Request: &pb.RequestOp_RequestPut{RequestPut: g.put()}}
	case n < 82:
		return &pb.RequestOp{Request: &pb.RequestOp_RequestDeleteRange{RequestDeleteRange: g.deleteRange()}}
	case n < 99 && depth < 4:
		return &pb.RequestOp{Request: &pb.RequestOp_RequestTxn{RequestTxn: g.txn(depth + 1)}}
	case n < 99:
		return &pb.RequestOp{Request: &pb.RequestOp_RequestPut{RequestPut: g.put()}}
	default:
		return &pb.RequestOp{}
	}
}

func (g *Generator) compare() *pb.Compare {
	c := &pb.Compare{Key: g.key(), Result: pb.Compare_CompareResult(g.random.IntN(4)), Target: pb.Compare_CompareTarget(g.random.IntN(5))}
	if g.one(3) {
		c.RangeEnd = g.end()
	}
	if g.one(40) {
		c.Result = pick[pb.Compare_CompareResult](g, 4, -1, 300)
	}
	if g.one(40) {
		c.Target = pick[pb.Compare_CompareTarget](g, 5, -1, 300)
	}
	g.operand(c)
	return c
}

// operand is that of the target, except once in a while.
func (g *Generator) operand(c *pb.Compare) {
	of := c.Target
	if g.one(20) {
		of = pb.Compare_CompareTarget(g.random.IntN(6))
	}
	switch of {
	case pb.Compare_VERSION:
		c.TargetUnion = &pb.Compare_Version{Version: int64(g.random.IntN(4))}
	case pb.Compare_CREATE:
		c.TargetUnion = &pb.Compare_CreateRevision{CreateRevision: pick(g, 0, g.live())}
	case pb.Compare_MOD:
		c.TargetUnion = &pb.Compare_ModRevision{ModRevision: pick(g, 0, g.live())}
	case pb.Compare_VALUE:
		c.TargetUnion = &pb.Compare_Value{Value: g.value()}
	case pb.Compare_LEASE:
		c.TargetUnion = &pb.Compare_Lease{Lease: g.leaseID()}
	}
}

// leaseID is none, mostly; else one of a few, of which some exist.
func (g *Generator) leaseID() int64 {
	if !g.one(4) {
		return 0
	}
	if id := pick[int64](g, 1, 2, 3, 4, -5, math.MinInt64); g.leases[id] || g.one(3) {
		return id
	}
	return 0
}

// lease draws a request about leases. None is short enough to expire in a run; that is for tests that can wait.
func (g *Generator) lease() Step {
	id := pick[int64](g, 1, 2, 3, 4, -5, math.MinInt64)
	switch g.random.IntN(6) {
	case 0, 1:
		return Call{"LeaseGrant", &pb.LeaseGrantRequest{ID: id, TTL: pick[int64](g, 3600, 5000, 9_000_000_000, 9_000_000_001, math.MaxInt64)}}
	case 2:
		return Call{"LeaseRevoke", &pb.LeaseRevokeRequest{ID: pick(g, id, id, id, 0)}}
	case 3:
		return Call{"LeaseTimeToLive", &pb.LeaseTimeToLiveRequest{ID: pick(g, id, id, id, 0), Keys: g.one(2)}}
	case 4:
		return Call{"LeaseLeases", &pb.LeaseLeasesRequest{}}
	default:
		return KeepAlive{pick(g, id, id, id, 0), g.one(3)}
	}
}

func (g *Generator) watch() Step {
	stream := g.random.IntN(streams)
	w := &pb.WatchRequest{}
	switch n := g.random.IntN(20); {
	case n < 11:
		w.RequestUnion = &pb.WatchRequest_CreateRequest{CreateRequest: g.watchCreate()}
	case n < 15:
		w.RequestUnion = &pb.WatchRequest_CancelRequest{CancelRequest: &pb.WatchCancelRequest{WatchId: int64(g.random.IntN(6)) - 1}}
	case n < 17:
		w.RequestUnion = &pb.WatchRequest_ProgressRequest{ProgressRequest: &pb.WatchProgressRequest{}}
	case n < 18:
		// nothing in it: ignored
	default:
		return CloseWatch{stream}
	}
	return Watch{Stream: stream, Request: w}
}

func (g *Generator) watchCreate() *pb.WatchCreateRequest {
	c := &pb.WatchCreateRequest{Key: g.key(), RangeEnd: g.end(), PrevKv: g.one(2), ProgressNotify: g.one(4), Fragment: g.one(4)}
	switch n := g.random.IntN(10); {
	case n < 5:
	case n < 8:
		c.StartRevision = g.live()
	case n < 9:
		c.StartRevision = g.revision + 1 + int64(g.random.IntN(10))
	default:
		c.StartRevision = g.anyRevision()
	}
	if g.compacted > 1 && g.one(7) {
		c.StartRevision = 1 + g.random.Int64N(g.compacted-1) // canceled at once
	}
	if g.one(2) {
		c.WatchId = int64(g.random.IntN(4))
	}
	for range g.random.IntN(2) {
		c.Filters = append(c.Filters, pb.WatchCreateRequest_FilterType(g.random.IntN(3)))
	}
	return c
}

// raiseAlarm raises one, or the one that is raised again.
func (g *Generator) raiseAlarm() Step {
	kind := g.alarm
	if kind == pb.AlarmType_NONE {
		kind = pick(g, pb.AlarmType_NOSPACE, pb.AlarmType_NOSPACE, pb.AlarmType_CORRUPT)
	}
	return Call{"Alarm", &pb.AlarmRequest{Action: pb.AlarmRequest_ACTIVATE, MemberID: oneself, Alarm: kind}}
}

// http draws probes, and what is not there.
func (g *Generator) http() Step {
	switch g.random.IntN(4) {
	case 0:
		return HTTP{pick(g, "GET", "GET", "HEAD", "POST", "PUT"), pick(g, "/health", "/health?serializable=true", "/health?exclude=NOSPACE", "/version")}
	case 1:
		return HTTP{"GET", pick(g, "/", "/nothing", "/healthz", "/v2/keys/")}
	default:
		return HTTP{pick(g, "GET", "GET", "HEAD", "POST"), pick(g, "/livez", "/readyz", "/livez/serializable_read", "/readyz/linearizable_read",
			"/readyz/data_corruption", "/readyz/none", "/readyz?exclude=data_corruption", "/readyz?verbose", "/livez?verbose&exclude=none", "/readyz/data_corruption?exclude=data_corruption")}
	}
}

func (g *Generator) admin() Step {
	switch g.random.IntN(8) {
	case 0:
		return Call{"Status", &pb.StatusRequest{}}
	case 1:
		return Call{"MemberList", &pb.MemberListRequest{Linearizable: g.one(2)}}
	case 2:
		return Call{"Alarm", &pb.AlarmRequest{Alarm: pb.AlarmType(g.random.IntN(3))}}
	case 3, 4, 5:
		return g.http()
	case 6:
		return Call{"Defragment", &pb.DefragmentRequest{}}
	default:
		return Call{"Check", &grpc_health_v1.HealthCheckRequest{Service: pick(g, "", "etcdserverpb.KV", "none")}}
	}
}

package differential

import (
	"bytes"
	"fmt"
	"slices"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"

	"github.com/holdfast-db/holdfast/server/api/v3electionpb"
	"github.com/holdfast-db/holdfast/server/api/v3lockpb"
)

// QueueGenerator draws steps about locks and elections. It knows who stands in which queue, so that requests which
// would wait are rare, and known to.
type QueueGenerator struct {
	*Generator
	queues  map[string][]int64 // name → leases, in the order in which they came
	leaders []*v3electionpb.LeaderKey
	since   map[string]int64 // key of who leads → the revision that its leader key names
}

// NewQueueGenerator returns a generator whose steps depend on the seed, and on what etcd answers.
func NewQueueGenerator(seed uint64) *QueueGenerator {
	return &QueueGenerator{Generator: NewGenerator(seed), queues: map[string][]int64{}, since: map[string]int64{}}
}

// queueLeases are those that take part; the last is never granted.
var queueLeases = []int64{1, 2, 3, -5, 77}

var queueNames = []string{"l", "m", ""}

func (g *QueueGenerator) queueLease() int64 { return pick(g.Generator, queueLeases...) }

// Next draws a step.
func (g *QueueGenerator) Next() Step {
	name, lease := pick(g.Generator, queueNames...), g.queueLease()
	switch n := g.random.IntN(100); {
	case n < 12 && lease != 77:
		return g.byJSON(Call{"LeaseGrant", &pb.LeaseGrantRequest{ID: lease, TTL: 5000}})
	case n < 15:
		return g.byJSON(Call{"LeaseRevoke", &pb.LeaseRevokeRequest{ID: lease}})
	case n < 31:
		return g.join(Call{"Lock", &v3lockpb.LockRequest{Name: []byte(name), Lease: lease}}, name, lease)
	case n < 42:
		return g.byJSON(Call{"Unlock", &v3lockpb.UnlockRequest{Key: g.heldKey()}})
	case n < 57:
		return g.join(Call{"Campaign", &v3electionpb.CampaignRequest{Name: []byte(name), Lease: lease, Value: g.value()}}, name, lease)
	case n < 67:
		return g.byJSON(Call{"Proclaim", &v3electionpb.ProclaimRequest{Leader: g.leaderKey(), Value: g.value()}})
	case n < 76:
		return g.byJSON(Call{"Leader", &v3electionpb.LeaderRequest{Name: []byte(name)}})
	case n < 84:
		return g.byJSON(Call{"Resign", &v3electionpb.ResignRequest{Leader: g.leaderKey()}})
	case n < 88 && (len(g.queues[name]) > 0 || g.one(10)):
		return Observe{&v3electionpb.LeaderRequest{Name: []byte(name)}}
	case n < 94:
		return g.byJSON(Call{"Range", &pb.RangeRequest{Key: []byte{0}, RangeEnd: []byte{0}}})
	default:
		return g.byJSON(Call{"DeleteRange", &pb.DeleteRangeRequest{Key: g.heldKey(), PrevKv: true}})
	}
}

// join is a request for a place in a queue; one that would wait only now and then.
func (g *QueueGenerator) join(c Call, name string, lease int64) Step {
	queue := g.queues[name]
	if len(queue) == 0 || queue[0] == lease || !g.leases[lease] {
		return g.byJSON(c)
	}
	if !g.one(10) {
		return g.byJSON(Call{"Leader", &v3electionpb.LeaderRequest{Name: []byte(name)}})
	}
	return Waiting{c, queueKey(name, lease)}
}

func queueKey(name string, lease int64) []byte { return fmt.Appendf(nil, "%s/%x", name, lease) }

// heldKey is one that stands in a queue, mostly.
func (g *QueueGenerator) heldKey() []byte {
	if g.one(12) {
		return nil
	}
	name := pick(g.Generator, queueNames...)
	if q := g.queues[name]; len(q) > 0 && !g.one(5) {
		return queueKey(name, q[0])
	}
	return queueKey(name, g.queueLease())
}

// leaderKey is that of one who leads or led, or none.
func (g *QueueGenerator) leaderKey() *v3electionpb.LeaderKey {
	if len(g.leaders) == 0 || g.one(12) {
		return pick(g.Generator, nil, &v3electionpb.LeaderKey{}, &v3electionpb.LeaderKey{Name: []byte("l"), Key: []byte("l/1"), Rev: 1, Lease: 1})
	}
	return g.leaders[len(g.leaders)-1-min(g.random.IntN(4), g.random.IntN(len(g.leaders)))]
}

// Done tells the generator what etcd answered.
func (g *QueueGenerator) Done(s Step, o outcome) {
	g.Generator.Done(s, o)
	if o.err != nil {
		return
	}
	_, request := asked(s)
	switch r := request.(type) {
	case *pb.LeaseRevokeRequest:
		for name := range g.queues {
			g.leave(name, r.ID)
		}
	case *pb.DeleteRangeRequest:
		g.leaveKey(r.Key)
	case *v3lockpb.UnlockRequest:
		g.leaveKey(r.Key)
	case *v3lockpb.LockRequest:
		g.enter(string(r.Name), r.Lease)
	case *v3electionpb.CampaignRequest:
		g.enter(string(r.Name), r.Lease)
		l := o.message.(*v3electionpb.CampaignResponse).Leader
		g.leaders, g.since[string(l.Key)] = append(g.leaders, l), l.Rev
	case *v3electionpb.ResignRequest:
		if l := r.GetLeader(); l.GetRev() != 0 && g.since[string(l.GetKey())] == l.GetRev() {
			g.leaveKey(l.Key)
		}
	}
}

func (g *QueueGenerator) enter(name string, lease int64) {
	if !slices.Contains(g.queues[name], lease) {
		g.queues[name] = append(g.queues[name], lease)
	}
}

func (g *QueueGenerator) leave(name string, lease int64) {
	delete(g.since, string(queueKey(name, lease)))
	g.queues[name] = slices.DeleteFunc(g.queues[name], func(l int64) bool { return l == lease })
}

func (g *QueueGenerator) leaveKey(key []byte) {
	delete(g.since, string(key))
	for name := range g.queues {
		for _, lease := range queueLeases {
			if bytes.Equal(key, queueKey(name, lease)) {
				g.leave(name, lease)
			}
		}
	}
}

package differential

import (
	"bytes"
	"fmt"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/grpc/health/grpc_health_v1"
)

// AdminGenerator draws what an operator asks: members, leadership, versions, alarms, hashes, snapshots; and what no
// server should take, such as requests that are too large.
type AdminGenerator struct {
	*Generator
	places int // addresses given out, at which nobody listens
}

// place is an address that no member ever had: etcd makes ids of addresses and the second, and takes a member that is
// added again within it for the one that was removed.
func (g *AdminGenerator) place() string {
	g.places++
	return fmt.Sprintf("http://127.1.%d.%d:1", g.places/256, g.places%256)
}

// NewAdminGenerator returns a generator whose steps depend on the seed, and on what etcd answers.
func NewAdminGenerator(seed uint64) *AdminGenerator {
	return &AdminGenerator{Generator: NewGenerator(seed)}
}

// Next draws a step.
func (g *AdminGenerator) Next() Step {
	if g.alarm != pb.AlarmType_NONE && g.one(4) {
		return g.byJSON(Call{"Alarm", &pb.AlarmRequest{Action: pb.AlarmRequest_DEACTIVATE, MemberID: oneself, Alarm: g.alarm}})
	}
	switch n := g.random.IntN(100); {
	case n < 38:
		return g.byJSON(g.member())
	case n < 40:
		return g.maybeJSON(Call{"Defragment", &pb.DefragmentRequest{}}, 3)
	case n < 46:
		return g.byJSON(Call{"MoveLeader", &pb.MoveLeaderRequest{TargetID: g.memberID()}})
	case n < 54:
		return g.byJSON(g.downgrade())
	case n < 58:
		return g.byJSON(Call{"Hash", &pb.HashRequest{}})
	case n < 61:
		return Snapshot{}
	case n < 64:
		return HealthWatch{pick(g.Generator, "", "none")}
	case n < 67:
		return Call{"List", &grpc_health_v1.HealthListRequest{}}
	case n < 70 && g.alarm == pb.AlarmType_NONE: // else the servers differ in what they look at first
		return g.large()
	case n < 76:
		return g.body()
	case n < 79:
		return g.byJSON(g.raiseAlarm())
	case n < 84:
		return g.byJSON(Call{"Put", g.put()})
	case n < 90:
		return g.http()
	default:
		return g.byJSON(g.admin())
	}
}

func (g *AdminGenerator) memberID() uint64 {
	return pick[uint64](g.Generator, oneself, learner, learner, nobody, 0)
}

// member draws changes that leave the one voter what it is. A second voter would be a quorum of two for etcd; the
// learner that is added now and then is never there.
func (g *AdminGenerator) member() Step {
	switch g.random.IntN(10) {
	case 0, 1, 2:
		return Call{"MemberAdd", &pb.MemberAddRequest{IsLearner: true, PeerURLs: g.urls()}}
	case 3: // refused, whatever it is added as
		return Call{"MemberAdd", &pb.MemberAddRequest{PeerURLs: [][]string{{ownURL}, {"127.0.0.1:1"}, {"ftp://127.0.0.1:1"}}[g.random.IntN(3)]}}
	case 4, 5:
		return Call{"MemberRemove", &pb.MemberRemoveRequest{ID: pick[uint64](g.Generator, learner, learner, learner, nobody, 0)}}
	case 6:
		p := g.place()
		urls := [][]string{{p}, {p, p + "2"}, {ownURL}}[g.random.IntN(3)]
		return Call{"MemberUpdate", &pb.MemberUpdateRequest{ID: pick[uint64](g.Generator, learner, learner, nobody, 0), PeerURLs: urls}}
	case 7, 8:
		return Call{"MemberPromote", &pb.MemberPromoteRequest{ID: g.memberID()}}
	default:
		return Call{"MemberList", &pb.MemberListRequest{Linearizable: g.one(2)}}
	}
}

func (g *AdminGenerator) urls() []string {
	p := g.place()
	return [][]string{{p}, {p}, {p}, {p + "2", p}, {ownURL}, {"127.0.0.1:1"},
		{"http://127.0.0.1"}, {"ftp://127.0.0.1:1"}, {"http://127.0.0.1:1/path"}, {}}[g.random.IntN(10)]
}

// downgrade leaves out what etcd would do: the version before this one.
func (g *AdminGenerator) downgrade() Step {
	return Call{"Downgrade", &pb.DowngradeRequest{
		Action:  pb.DowngradeRequest_DowngradeAction(g.random.IntN(3)),
		Version: pick(g.Generator, "", "x", "3", "3.5.0", "3.7.0", "3.8.0", "4.0.0", "2.3.1"),
	}}
}

// large are requests beyond a limit: of the log, of gRPC, of operations in a transaction.
func (g *AdminGenerator) large() Step {
	switch g.random.IntN(4) {
	case 0:
		return Call{"Put", &pb.PutRequest{Key: []byte("large"), Value: make([]byte, 1600<<10)}}
	case 1:
		return Call{"Put", &pb.PutRequest{Key: []byte("large"), Value: make([]byte, 3<<20)}}
	default:
		r := &pb.TxnRequest{}
		for i := range 15 + g.random.IntN(4) {
			r.Success = append(r.Success, &pb.RequestOp{Request: &pb.RequestOp_RequestPut{
				RequestPut: &pb.PutRequest{Key: fmt.Appendf(nil, "t%02d", i), Value: bytes.Repeat([]byte{'x'}, 10)}}})
		}
		return Call{"Txn", r}
	}
}

// body is a text for the gateway that is no request, or hardly.
func (g *AdminGenerator) body() Step {
	path := pick(g.Generator, "/v3/kv/range", "/v3/kv/put", "/v3/kv/txn", "/v3/lease/grant", "/v3/maintenance/alarm", "/v3/none")
	return Body{path, pick(g.Generator, "", "{", "[]", "null", `"x"`, `{"key":1}`, `{"key":"%"}`, `{"unknown":{"a":[1,2]}}`, `{"key":"YQ==","key":"Yg=="}`,
		`{"limit":"x"}`, `{"sort_order":"UP"}`, `{"TTL":"1e3","ID":3}`, `{"TTL":1.5}`, `{"ID":"99999999999999999999"}`, "{}{}", " { } ")}
}

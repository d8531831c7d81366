package differential

import (
	"testing"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"

	"github.com/holdfast-db/holdfast/server/api/v3electionpb"
	"github.com/holdfast-db/holdfast/server/api/v3lockpb"
)

func lock(name string, lease int64) Step {
	return Call{"Lock", &v3lockpb.LockRequest{Name: []byte(name), Lease: lease}}
}

func unlock(key string) Step {
	return Call{"Unlock", &v3lockpb.UnlockRequest{Key: []byte(key)}}
}

func campaign(name string, lease int64, value string) Step {
	return Call{"Campaign", &v3electionpb.CampaignRequest{Name: []byte(name), Lease: lease, Value: []byte(value)}}
}

func leader(name string) Step {
	return Call{"Leader", &v3electionpb.LeaderRequest{Name: []byte(name)}}
}

func proclaim(l *v3electionpb.LeaderKey, value string) Step {
	return Call{"Proclaim", &v3electionpb.ProclaimRequest{Leader: l, Value: []byte(value)}}
}

func resign(l *v3electionpb.LeaderKey) Step {
	return Call{"Resign", &v3electionpb.ResignRequest{Leader: l}}
}

// TestLockAndElection: replies, errors and what is left in the store.
func TestLockAndElection(t *testing.T) {
	all := Call{"Range", &pb.RangeRequest{Key: []byte{0}, RangeEnd: []byte{0}}}
	grant := func(id int64) Step { return Call{"LeaseGrant", &pb.LeaseGrantRequest{ID: id, TTL: 5000}} }
	own := &v3electionpb.LeaderKey{Name: []byte("e"), Key: []byte("e/9"), Rev: 7, Lease: 9}
	stale := &v3electionpb.LeaderKey{Name: []byte("e"), Key: []byte("e/9"), Rev: 6, Lease: 9}
	p := startPair(t)
	for i, s := range []Step{
		grant(9), grant(-10), lock("l", 9), all, lock("l", 9), all, unlock("l/9"), unlock("l/9"), unlock(""), lock("l", 77),
		lock("", 9), unlock("/9"), lock("n", -10), all,
		leader("e"), leader(""), campaign("e", 9, "one"), leader("e"), campaign("e", 9, "two"), leader("e"), all,
		proclaim(own, "three"), proclaim(stale, "four"), proclaim(nil, "five"), leader("e"), resign(stale), leader("e"), resign(nil),
		campaign("e", 78, "x"), resign(&v3electionpb.LeaderKey{Lease: 9}), proclaim(&v3electionpb.LeaderKey{Lease: 9}, ""),
		resign(own), leader("e"), all, campaign("e", -10, ""), all,
		Call{"UserAdd", &pb.AuthUserAddRequest{Name: "root", Password: "root"}}, Call{"UserGrantRole", &pb.AuthUserGrantRoleRequest{User: "root", Role: "root"}},
		Call{"UserAdd", &pb.AuthUserAddRequest{Name: "bob", Password: "bob"}}, Call{"AuthEnable", &pb.AuthEnableRequest{}},
		Login{User: "bob", Password: "bob"}, lock("q", 9), lock("q", 0), As{"bob", lock("q", 9)}, As{"bob", unlock("q/9")}, leader("e"), As{"bob", leader("e")},
		campaign("q", 9, ""), As{"bob", campaign("q", 9, "")}, proclaim(nil, ""), As{"bob", resign(own)}, resign(own),
		Login{User: "root", Password: "root"}, As{"root", lock("q", 9)}, As{"root", all},
	} {
		if _, d := p.Do(t.Context(), s); d != nil {
			t.Fatalf("step %d: %s", i+1, d)
		}
	}
}

package api

import (
	"context"
	"testing"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"

	"github.com/holdfast-db/holdfast/server/replica"
	"github.com/holdfast-db/holdfast/server/state"
)

// laggard shows an old view until somebody reads linearizably.
type laggard struct {
	*fakeBackend
	old *state.View
}

func (l *laggard) View(ctx context.Context, linearizable bool) (*state.View, error) {
	view, err := l.fakeBackend.View(ctx, linearizable)
	if !linearizable && err == nil {
		return l.old, nil
	}
	return view, err
}

// TestSerializableReadCatchesUp: a revision that a client has seen elsewhere is
// not in the future, only not here yet.
func TestSerializableReadCatchesUp(t *testing.T) {
	s := newTester(t)
	s.put("a", "1")
	behind := &laggard{fakeBackend: s.b, old: s.b.state.View()}
	s.put("a", "2")
	s.svc.backend = behind
	for _, c := range []struct {
		revision, want int64
		linear         int
	}{
		{2, 2, 0}, // there already: nobody is asked
		{3, 3, 1},
	} {
		s.b.views = [2]int{}
		got, err := s.svc.Range(t.Context(), &pb.RangeRequest{Key: []byte("a"), Serializable: true, Revision: c.revision})
		if err != nil || len(got.Kvs) != 1 || got.Kvs[0].ModRevision != c.want || s.b.views[1] != c.linear {
			t.Errorf("revision %d: %v, %v, linearizable views %d", c.revision, got, err, s.b.views[1])
		}
	}
	if _, err := s.svc.Range(t.Context(), &pb.RangeRequest{Key: []byte("a"), Serializable: true, Revision: 4}); err == nil ||
		err.Error() != "rpc error: code = OutOfRange desc = etcdserver: mvcc: required revision is a future revision" {
		t.Errorf("revision 4: %v", err)
	}
}

// staleHead shows a size and alarms that are over by now.
type staleHead struct {
	*fakeBackend
	old Head
}

func (s *staleHead) Head() Head { return s.old }

// TestNothingIsRefusedByAnOldState: who compacted and disarmed through another
// member may write through this one, which hasn't heard of it; what the present
// state refuses stays refused, at the cost of one look.
func TestNothingIsRefusedByAnOldState(t *testing.T) {
	s := newTester(t, func(b *fakeBackend) { b.limits.QuotaBytes = 10_000 })
	s.put("a", "1")
	behind := &staleHead{fakeBackend: s.b, old: Head{Cluster: 5, Member: fakeMember, Bytes: 20_000, NoSpace: true, Corrupt: true, HasLeader: true}}
	s.svc.backend = behind
	if _, err := s.svc.Put(bg, &pb.PutRequest{Key: []byte("k")}); err != nil {
		t.Errorf("put: %v", err)
	}
	if _, err := s.svc.DeleteRange(bg, &pb.DeleteRangeRequest{Key: []byte("k")}); err != nil {
		t.Errorf("delete: %v", err)
	}
	behind.old = Head{Member: fakeMember, HasLeader: true}
	if _, err := s.svc.Alarm(bg, &pb.AlarmRequest{Action: pb.AlarmRequest_ACTIVATE, MemberID: fakeMember, Alarm: pb.AlarmType_CORRUPT}); err != nil {
		t.Fatal(err)
	}
	behind.old = Head{Member: fakeMember, Corrupt: true, HasLeader: true}
	s.b.views, s.b.proposed = [2]int{}, 0
	if _, err := s.svc.Put(bg, &pb.PutRequest{Key: []byte("k")}); err != rpctypes.ErrGRPCCorrupt || s.b.views[1] != 1 || s.b.proposed != 0 {
		t.Errorf("put under the alarm: %v, %d looks, %d proposals", err, s.b.views[1], s.b.proposed)
	}
	s.b.fail = replica.ErrNoLeader // nobody can say how things are: what is known here counts
	if _, err := s.svc.Put(bg, &pb.PutRequest{Key: []byte("k")}); err != rpctypes.ErrGRPCCorrupt {
		t.Errorf("put without a leader: %v", err)
	}
}

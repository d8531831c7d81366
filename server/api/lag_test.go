package api

import (
	"context"
	"testing"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"

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

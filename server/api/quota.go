package api

import (
	"context"
	"slices"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"

	"github.com/holdfast-db/holdfast/server/state"
)

// What a request adds to the store, by etcd's estimate: bytes beside key and
// value for a put, and bytes for a lease.
const (
	putOverheadBytes = 256
	leaseCostBytes   = 64
)

// alarmTimeout bounds how long a refused request waits for its alarm to be
// raised; the refusal stands either way.
const alarmTimeout = time.Second

// room refuses a request that the quota has no room for, and raises the alarm
// that stops all others. Requests that free space (deletes, compaction,
// revocation) cost nothing and never come here. As in etcd this is the first
// check of all: a full store doesn't look at what it is asked to add.
func (s *Service) room(ctx context.Context, cost int64) error {
	head := s.backend.Head()
	if cost == 0 || s.limits.QuotaBytes <= 0 || head.Bytes+cost < s.limits.QuotaBytes {
		return nil
	}
	view := s.caughtUp(ctx)
	if view != nil && view.Bytes()+cost < s.limits.QuotaBytes {
		return nil
	}
	if !head.NoSpace || view != nil && !raised(view, state.AlarmNoSpace) {
		s.raiseNoSpace(ctx, head.Member)
	}
	return rpctypes.ErrGRPCNoSpace
}

// caughtUp is the state after everything that was acknowledged anywhere, nil if
// it can't be had. Nothing is refused by the state of a member that lags: who has
// compacted, or disarmed an alarm, through one member may write through another.
// It costs a round of heartbeats for all who wait, and only those ask who are
// about to be refused.
func (s *Service) caughtUp(ctx context.Context) *state.View {
	view, err := s.backend.View(ctx, true)
	if err != nil {
		return nil
	}
	return view
}

func raised(view *state.View, kind state.AlarmKind) bool {
	return slices.ContainsFunc(view.Alarms(), func(a state.Alarm) bool { return a.Kind == kind })
}

// admit refuses what a raised alarm forbids. It is the last check before the log,
// against the alarms applied here; every replica checks once more at apply, so
// after an alarm is in the log no write slips by, whichever member took it.
func (s *Service) admit(ctx context.Context, body state.Body) error {
	head := s.backend.Head()
	if !head.NoSpace && !head.Corrupt {
		return nil
	}
	err := state.Admit(body, head.NoSpace, head.Corrupt)
	if err == nil {
		return nil
	}
	if view := s.caughtUp(ctx); view != nil {
		return state.Admit(body, raised(view, state.AlarmNoSpace), raised(view, state.AlarmCorrupt))
	}
	return err
}

func (s *Service) raiseNoSpace(ctx context.Context, member uint64) {
	ctx, cancel := context.WithTimeout(ctx, alarmTimeout)
	defer cancel()
	// Not raising it now is no harm: the next request that doesn't fit tries again.
	_, _ = s.backend.Propose(ctx, &state.AlarmRequest{Activate: true, Member: member, Kind: state.AlarmNoSpace})
}

func putCost(r *pb.PutRequest) int64 {
	return putOverheadBytes + int64(len(r.GetKey())+len(r.GetValue()))
}

// txnCost is that of the dearer branch; which one runs isn't known yet.
func txnCost(r *pb.TxnRequest) int64 {
	return max(opsCost(r.GetSuccess()), opsCost(r.GetFailure()))
}

func opsCost(ops []*pb.RequestOp) (cost int64) {
	for _, op := range ops {
		if p := op.GetRequestPut(); p != nil {
			cost += putCost(p)
		}
		if t := op.GetRequestTxn(); t != nil {
			cost += txnCost(t)
		}
	}
	return cost
}

package api

import (
	"context"
	"fmt"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"

	"github.com/holdfast-db/holdfast/server/state"
)

// emptyBytes is the size that an empty store reports, about that of etcd's empty
// file: clients divide by the size (etcdctl endpoint status -w table). It does
// not count against the quota.
const emptyBytes = 20 << 10

// Status describes this member.
func (s *Service) Status(context.Context, *pb.StatusRequest) (*pb.StatusResponse, error) {
	st := s.backend.Status()
	resp := &pb.StatusResponse{
		Header:           headerPB(st.Head, st.Revision),
		Version:          Version,
		StorageVersion:   StorageVersion,
		DbSize:           emptyBytes + st.Bytes,
		DbSizeInUse:      emptyBytes + st.InUse,
		DbSizeQuota:      s.limits.QuotaBytes,
		Leader:           uint64(st.Raft.Leader),
		RaftIndex:        uint64(st.Raft.Commit),
		RaftAppliedIndex: st.Applied,
		RaftTerm:         uint64(st.Raft.Term),
		IsLearner:        st.Learner,
		DowngradeInfo:    &pb.DowngradeInfo{},
	}
	if !st.HasLeader {
		resp.Errors = append(resp.Errors, "etcdserver: no leader")
	}
	for _, a := range st.Alarms {
		resp.Errors = append(resp.Errors, alarmText(a))
	}
	return resp, nil
}

// alarmText is an alarm as etcd prints it: protobuf's text form, without fields
// that are zero.
func alarmText(a state.Alarm) string {
	if a.Member == 0 {
		return "alarm:" + pb.AlarmType(a.Kind).String()
	}
	return fmt.Sprintf("memberID:%d alarm:%s", a.Member, pb.AlarmType(a.Kind))
}

// HashKV hashes the key-value history up to a revision exactly as etcd does, so
// members, and a Holdfast and an etcd with the same history, can be compared.
func (s *Service) HashKV(ctx context.Context, r *pb.HashKVRequest) (*pb.HashKVResponse, error) {
	view, err := s.backend.View(ctx, false)
	if err != nil {
		return nil, ToGRPC(err)
	}
	hash, compacted, revision, err := view.KV.HashKV(r.Revision)
	if err != nil {
		return nil, ToGRPC(err)
	}
	return &pb.HashKVResponse{
		Header:          s.header(view.Revision()),
		Hash:            hash,
		CompactRevision: compacted,
		HashRevision:    revision,
	}, nil
}

// Hash hashes the whole store. etcd hashes its database file here; for members
// of one cluster the answer is as comparable, for different products it isn't.
func (s *Service) Hash(ctx context.Context, _ *pb.HashRequest) (*pb.HashResponse, error) {
	view, err := s.backend.View(ctx, false)
	if err != nil {
		return nil, ToGRPC(err)
	}
	hash, _, _, err := view.KV.HashKV(0)
	if err != nil {
		return nil, ToGRPC(err)
	}
	return &pb.HashResponse{Header: s.header(view.Revision()), Hash: hash}, nil
}

// MoveLeader hands leadership over; only the leader takes the order.
func (s *Service) MoveLeader(ctx context.Context, r *pb.MoveLeaderRequest) (*pb.MoveLeaderResponse, error) {
	st := s.backend.Status()
	if uint64(st.Raft.Leader) != st.Member {
		return nil, rpctypes.ErrGRPCNotLeader
	}
	if err := s.backend.MoveLeader(ctx, r.TargetID); err != nil {
		return nil, ToGRPC(err)
	}
	return &pb.MoveLeaderResponse{}, nil // without a header, as in etcd
}

// Alarm lists, raises or disarms alarms. Kind NONE means all kinds, member 0
// all members, both for GET and DEACTIVATE.
func (s *Service) Alarm(ctx context.Context, r *pb.AlarmRequest) (*pb.AlarmResponse, error) {
	need := admin
	if r.Action == pb.AlarmRequest_GET {
		need = login
	}
	looked(ctx)
	if _, err := s.gate.require(ctx, need); err != nil {
		return nil, ToGRPC(err)
	}
	switch r.Action {
	case pb.AlarmRequest_GET:
		return s.alarms(ctx, r)
	case pb.AlarmRequest_ACTIVATE, pb.AlarmRequest_DEACTIVATE:
		return s.setAlarm(ctx, r)
	default:
		return &pb.AlarmResponse{Header: s.headerNow()}, nil
	}
}

func (s *Service) alarms(ctx context.Context, r *pb.AlarmRequest) (*pb.AlarmResponse, error) {
	view, err := s.backend.View(ctx, false)
	if err != nil {
		return nil, ToGRPC(err)
	}
	resp := &pb.AlarmResponse{Header: s.header(view.Revision())}
	for _, a := range view.Alarms() {
		if r.Alarm == pb.AlarmType_NONE || pb.AlarmType(a.Kind) == r.Alarm {
			resp.Alarms = append(resp.Alarms, alarmPB(a))
		}
	}
	return resp, nil
}

func (s *Service) setAlarm(ctx context.Context, r *pb.AlarmRequest) (*pb.AlarmResponse, error) {
	resp := &pb.AlarmResponse{}
	if _, known := pb.AlarmType_name[int32(r.Alarm)]; known && r.Alarm != pb.AlarmType_NONE {
		res, err := s.propose(ctx, &state.AlarmRequest{
			Activate: r.Action == pb.AlarmRequest_ACTIVATE,
			Member:   r.MemberID,
			Kind:     state.AlarmKind(r.Alarm),
		})
		if err != nil {
			return nil, err
		}
		resp.Alarms = alarmsPB(res.Alarms)
	}
	resp.Header = s.headerNow()
	return resp, nil
}

// Defragment has nothing to do: freed memory is reused as it is freed. It
// succeeds, since operators run it from a schedule.
func (s *Service) Defragment(context.Context, *pb.DefragmentRequest) (*pb.DefragmentResponse, error) {
	return &pb.DefragmentResponse{}, nil // without a header, as in etcd
}

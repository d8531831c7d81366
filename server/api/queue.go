package api

import (
	"context"
	"errors"
	"strconv"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/mvccpb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// Lock and election are one recipe, that of etcd's client package concurrency: who
// wants a name puts a key below it, tied to his lease, and waits until no key there
// is older. Both services carry it out for callers who have no such library, by
// the very requests that the library would send, in the caller's name.

// sessionTTL is that of a lease which the server makes for a caller without one.
const sessionTTL = 60

// session is the lease that a request names, or a new one.
func (s *Service) session(ctx context.Context, lease int64) (int64, error) {
	if lease != 0 {
		return lease, nil
	}
	if _, err := s.gate.require(ctx, login); err != nil {
		return 0, ToGRPC(err)
	}
	resp, err := s.LeaseGrant(ctx, &pb.LeaseGrantRequest{TTL: sessionTTL})
	return resp.GetID(), err
}

// queueKey is a lease's place below a name.
func queueKey(name []byte, lease int64) []byte {
	return strconv.AppendInt(queuePrefix(name), lease, 16)
}

func queuePrefix(name []byte) []byte { return append(append([]byte(nil), name...), '/') }

// queueEnd ends the keys below a name: '0' comes after '/'.
func queueEnd(name []byte) []byte { return append(append([]byte(nil), name...), '0') }

// oldest asks for the key below a name that was created first.
func oldest(name []byte) *pb.RangeRequest {
	return &pb.RangeRequest{Key: queuePrefix(name), RangeEnd: queueEnd(name), Limit: 1,
		SortOrder: pb.RangeRequest_ASCEND, SortTarget: pb.RangeRequest_CREATE}
}

// created compares a key's create revision; 0: there is no such key.
func created(key []byte, revision int64) []*pb.Compare {
	return []*pb.Compare{{Key: key, Target: pb.Compare_CREATE, Result: pb.Compare_EQUAL,
		TargetUnion: &pb.Compare_CreateRevision{CreateRevision: revision}}}
}

func putOp(key, value []byte, lease int64) *pb.RequestOp {
	return &pb.RequestOp{Request: &pb.RequestOp_RequestPut{RequestPut: &pb.PutRequest{Key: key, Value: value, Lease: lease}}}
}

func rangeOp(r *pb.RangeRequest) *pb.RequestOp {
	return &pb.RequestOp{Request: &pb.RequestOp_RequestRange{RequestRange: r}}
}

func deleteOp(key []byte) *pb.RequestOp {
	return &pb.RequestOp{Request: &pb.RequestOp_RequestDeleteRange{RequestDeleteRange: &pb.DeleteRangeRequest{Key: key}}}
}

// waitTurn returns once no key below name is left that was created before a
// revision. It watches the youngest of them: when that goes, it looks again.
func (s *Service) waitTurn(ctx context.Context, name []byte, revision int64) error {
	for {
		resp, err := s.Range(ctx, &pb.RangeRequest{Key: queuePrefix(name), RangeEnd: queueEnd(name), Limit: 1,
			SortOrder: pb.RangeRequest_DESCEND, SortTarget: pb.RangeRequest_CREATE, MaxCreateRevision: revision - 1})
		if err != nil || len(resp.Kvs) == 0 {
			return err
		}
		err = s.watchRange(ctx, resp.Kvs[0].Key, nil, resp.Header.Revision, func(_ *pb.ResponseHeader, ev *mvccpb.Event) (bool, error) {
			return ev.Type != mvccpb.Event_DELETE, nil
		})
		if err != nil {
			return err
		}
	}
}

// abandon gives a place in a queue up when its request has failed or was given up.
func (s *Service) abandon(ctx context.Context, give func(context.Context) error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), alarmTimeout)
	defer cancel()
	_ = give(ctx) // else the lease's end does
}

// asClient words an error as etcd's lock and election services do: they are its
// Go client's users, which keeps a server's text and loses its code.
func asClient(err error) error {
	st, isStatus := status.FromError(err)
	switch {
	case err == nil, errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return err
	case isStatus && (st.Code() == codes.Canceled || st.Code() == codes.DeadlineExceeded):
		return err
	}
	return status.Error(codes.Unknown, st.Message())
}

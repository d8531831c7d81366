package api

import (
	"context"
	"net"
	"net/url"
	"slices"
	"strings"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"

	"github.com/holdfast-db/holdfast/raft"
	"github.com/holdfast-db/holdfast/server/replica"
)

// The replies of the cluster service leave the revision out, as etcd's do:
// members aren't in the store.

// MemberList lists the members, with what they published of themselves.
func (s *Service) MemberList(ctx context.Context, r *pb.MemberListRequest) (*pb.MemberListResponse, error) {
	view, err := s.backend.View(ctx, r.Linearizable)
	if err != nil {
		return nil, ToGRPC(err)
	}
	return &pb.MemberListResponse{Header: s.header(0), Members: membersPB(view.Members())}, nil
}

// MemberAdd adds a voter or a learner, under an id that is made here.
func (s *Service) MemberAdd(ctx context.Context, r *pb.MemberAddRequest) (*pb.MemberAddResponse, error) {
	urls, err := peerURLs(r.PeerURLs)
	if err != nil {
		return nil, err
	}
	if err := s.mayAdd(ctx, r.IsLearner); err != nil {
		return nil, ToGRPC(err)
	}
	id := s.backend.NewMemberID(urls)
	members, err := s.changeMembers(ctx, replica.MemberChange{
		Op: replica.AddMember, ID: raft.NodeID(id), URLs: urls, Learner: r.IsLearner, LearnersMax: s.limits.LearnersMax,
	})
	if err != nil {
		return nil, err
	}
	added := &pb.Member{ID: id, PeerURLs: urls, IsLearner: r.IsLearner}
	return &pb.MemberAddResponse{Header: s.header(0), Member: added, Members: members}, nil
}

// MemberRemove removes a member, which ends by itself when it learns of it.
func (s *Service) MemberRemove(ctx context.Context, r *pb.MemberRemoveRequest) (*pb.MemberRemoveResponse, error) {
	if err := s.mayRemove(ctx, r.ID); err != nil {
		return nil, ToGRPC(err)
	}
	members, err := s.changeMembers(ctx, replica.MemberChange{Op: replica.RemoveMember, ID: raft.NodeID(r.ID)})
	if err != nil {
		return nil, err
	}
	return &pb.MemberRemoveResponse{Header: s.header(0), Members: members}, nil
}

// MemberUpdate replaces a member's peer URLs. (etcd takes any text here and
// stops when it can't use it; bad URLs are refused as MemberAdd refuses them.)
func (s *Service) MemberUpdate(ctx context.Context, r *pb.MemberUpdateRequest) (*pb.MemberUpdateResponse, error) {
	urls, err := peerURLs(r.PeerURLs)
	if err != nil {
		return nil, err
	}
	members, err := s.changeMembers(ctx, replica.MemberChange{Op: replica.UpdateMember, ID: raft.NodeID(r.ID), URLs: urls})
	if err != nil {
		return nil, err
	}
	return &pb.MemberUpdateResponse{Header: s.header(0), Members: members}, nil
}

// MemberPromote makes a voter of a learner that has caught up.
func (s *Service) MemberPromote(ctx context.Context, r *pb.MemberPromoteRequest) (*pb.MemberPromoteResponse, error) {
	if err := s.mayPromote(ctx, r.ID); err != nil {
		return nil, ToGRPC(err)
	}
	members, err := s.changeMembers(ctx, replica.MemberChange{Op: replica.PromoteMember, ID: raft.NodeID(r.ID)})
	if err != nil {
		return nil, err
	}
	return &pb.MemberPromoteResponse{Header: s.header(0), Members: members}, nil
}

func (s *Service) changeMembers(ctx context.Context, m replica.MemberChange) ([]*pb.Member, error) {
	if m.ID == 0 {
		return nil, rpctypes.ErrGRPCMemberNotFound
	}
	res, err := s.backend.ChangeMember(ctx, m)
	if err == nil {
		err = res.Err
	}
	if err != nil {
		return nil, ToGRPC(err)
	}
	return membersPB(res.Members), nil
}

// peerURLs is the gate for peer URLs: those that pass can be dialled by every
// member and written as one text. They come back sorted and as Go writes them.
func peerURLs(raw []string) ([]string, error) {
	urls := make([]string, 0, len(raw))
	for _, text := range raw {
		u, err := url.Parse(strings.TrimSpace(text))
		if err != nil || !dialable(u) {
			return nil, rpctypes.ErrGRPCMemberBadURLs
		}
		urls = append(urls, u.String())
	}
	if len(urls) == 0 || len(strings.Join(urls, ",")) > raft.AddressBytesMax {
		return nil, rpctypes.ErrGRPCMemberBadURLs
	}
	slices.Sort(urls)
	return slices.Compact(urls), nil
}

// dialable reports whether a URL names a place: a host and port, or a socket.
func dialable(u *url.URL) bool {
	switch u.Scheme {
	case "http", "https":
		if _, port, err := net.SplitHostPort(u.Host); err != nil || port == "" || u.Path != "" {
			return false
		}
	case "unix", "unixs":
		if u.Host+u.Path == "" {
			return false
		}
	default:
		return false
	}
	return !strings.Contains(u.String(), ",")
}

package differential

import (
	"strings"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/protobuf/proto"
)

// Members' ids and addresses differ between clusters. In steps these stand for them.
const (
	oneself = 1  // who gets the request
	learner = 2  // the member that was added last
	nobody  = 99 // no member
	ownURL  = "http://oneself"
)

// own puts a target's own ids and addresses in the place of those words.
func (t *target) own(m proto.Message) proto.Message {
	switch r := m.(type) {
	case *pb.AlarmRequest:
		return &pb.AlarmRequest{Action: r.Action, Alarm: r.Alarm, MemberID: t.id(r.MemberID)}
	case *pb.MoveLeaderRequest:
		return &pb.MoveLeaderRequest{TargetID: t.id(r.TargetID)}
	case *pb.MemberAddRequest:
		return &pb.MemberAddRequest{PeerURLs: t.urls(r.PeerURLs), IsLearner: r.IsLearner}
	case *pb.MemberRemoveRequest:
		return &pb.MemberRemoveRequest{ID: t.id(r.ID)}
	case *pb.MemberPromoteRequest:
		return &pb.MemberPromoteRequest{ID: t.id(r.ID)}
	case *pb.MemberUpdateRequest:
		return &pb.MemberUpdateRequest{ID: t.id(r.ID), PeerURLs: t.urls(r.PeerURLs)}
	}
	return m
}

func (t *target) id(word uint64) uint64 {
	switch {
	case word == oneself:
		return t.member
	case word == learner && t.learner != 0:
		return t.learner
	}
	return word
}

func (t *target) urls(words []string) (out []string) {
	for _, w := range words {
		out = append(out, strings.ReplaceAll(w, ownURL, t.peerURL))
	}
	return out
}

// learn keeps the id of a member that was added.
func (t *target) learn(m proto.Message) {
	if r, ok := m.(*pb.MemberAddResponse); ok {
		t.learner = r.Member.ID
	}
}

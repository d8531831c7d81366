package differential

import (
	"bytes"
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// ttlSlack is by how much remaining TTLs may differ, in seconds, beside the longest step: the servers are asked one after
// the other.
const ttlSlack = 2

// slack is by how many seconds Holdfast's remaining TTLs may be shorter, and longer, than etcd's. On a machine that
// starves it, its time passes slower, since ticks that can't be delivered are dropped; never faster.
type slack struct{ fast, slow int64 }

// same compares two outcomes of one step, field by field, after what can't be the same in two clusters was taken out.
// Remaining TTLs may differ within a slack.
func same(s Step, a, b outcome, within slack) bool {
	if a.text != b.text {
		return false
	}
	if a.err != nil || b.err != nil {
		return a.err != nil && b.err != nil && sameStatus(a.err, b.err)
	}
	if a.message == nil || b.message == nil {
		return a.message == nil && b.message == nil
	}
	neutral(s, a.message)
	neutral(s, b.message)
	align(a.message, b.message, within)
	return proto.Equal(a.message, b.message)
}

func sameStatus(a, b error) bool {
	one, two := status.Convert(a), status.Convert(b)
	if gaveUp(one.Code()) { // the client's word or the server's: who came first
		return gaveUp(two.Code())
	}
	return one.Code() == two.Code() && one.Message() == two.Message()
}

// gaveUp tells that the client's time was over.
func gaveUp(c codes.Code) bool { return c == codes.DeadlineExceeded || c == codes.Canceled }

// neutral takes out of a reply what depends on the cluster, on chance, or on the size of files.
func neutral(s Step, m proto.Message) {
	neutralNested(m.ProtoReflect())
	switch r := m.(type) {
	case *pb.StatusResponse:
		neutralStatus(r)
	case interface{ GetMembers() []*pb.Member }: // five of them
		neutralMembers(r.GetMembers())
		if add, ok := m.(*pb.MemberAddResponse); ok {
			neutralMembers([]*pb.Member{add.Member})
		}
	case *pb.HashResponse: // of a file
		r.Hash = min(r.Hash, 1)
	case *pb.AuthenticateResponse:
		r.Token = ""
	case *pb.AlarmResponse:
		for _, a := range r.Alarms {
			a.MemberID = present(a.MemberID)
		}
	case *pb.LeaseGrantResponse:
		if _, request := asked(s); request.(*pb.LeaseGrantRequest).ID == 0 {
			r.ID = min(max(r.ID, 0), 1) // drawn by the server: positive
		}
	case *pb.LeaseTimeToLiveResponse:
		slices.SortFunc(r.Keys, bytes.Compare) // etcd: the order of a Go map
	case *pb.LeaseLeasesResponse:
		// etcd: by the time that is left, which two clusters need not agree on.
		slices.SortFunc(r.Leases, func(a, b *pb.LeaseStatus) int { return cmp.Compare(a.ID, b.ID) })
	}
}

// neutralMembers sorts members, which come in the order of their ids, and keeps of addresses their number.
func neutralMembers(members []*pb.Member) {
	for _, m := range members {
		m.ID = present(m.ID)
		m.PeerURLs = []string{fmt.Sprint(len(m.PeerURLs))}
		m.ClientURLs = []string{fmt.Sprint(len(m.ClientURLs))}
	}
	slices.SortFunc(members, func(a, b *pb.Member) int { return cmp.Compare(a.Name, b.Name) })
}

// neutralNested clears ids and terms in the header of a reply and in those of nested ones; and the lease of keys that
// were read without value: etcd 3.7 leaves it out where it needs only its index to answer keys_only.
func neutralNested(m protoreflect.Message) {
	switch m := m.Interface().(type) {
	case *pb.ResponseHeader:
		m.ClusterId, m.MemberId, m.RaftTerm = present(m.ClusterId), present(m.MemberId), present(m.RaftTerm)
		return
	case *pb.RangeResponse:
		for _, kv := range m.Kvs {
			if len(kv.Value) == 0 {
				kv.Lease = 0
			}
		}
	}
	m.Range(func(f protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		switch {
		case f.Message() == nil || f.IsMap():
		case f.IsList():
			for i := range v.List().Len() {
				neutralNested(v.List().Get(i).Message())
			}
		default:
			neutralNested(v.Message())
		}
		return true
	})
}

var memberID = regexp.MustCompile(`memberID:\d+`)

func neutralStatus(r *pb.StatusResponse) {
	r.Leader, r.RaftIndex, r.RaftTerm = present(r.Leader), present(r.RaftIndex), present(r.RaftTerm)
	r.RaftAppliedIndex = present(r.RaftAppliedIndex)
	r.DbSize, r.DbSizeInUse = min(r.DbSize, 1), min(r.DbSizeInUse, 1)
	for i, e := range r.Errors {
		// Protobuf's text form varies its spaces from build to build.
		r.Errors[i] = strings.Join(strings.Fields(memberID.ReplaceAllString(e, "memberID:1")), " ")
	}
	slices.Sort(r.Errors)
}

// present keeps of a number only whether it is there.
func present(v uint64) uint64 { return min(v, 1) }

// align forgives what two servers that are asked one after the other can't agree on.
func align(a, b proto.Message, within slack) {
	one, ok := a.(*pb.LeaseTimeToLiveResponse)
	if !ok {
		return
	}
	two := b.(*pb.LeaseTimeToLiveResponse)
	if d := one.TTL - two.TTL; one.TTL >= 0 && two.TTL >= 0 && two.TTL <= two.GrantedTTL && -within.slow <= d && d <= within.fast {
		two.TTL = one.TTL
	}
}

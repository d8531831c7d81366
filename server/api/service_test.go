package api

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/mvccpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/testing/protocmp"

	"github.com/holdfast-db/holdfast/server/state"
)

// tester is a service over a fake member, with calls that must succeed.
type tester struct {
	*testing.T
	svc *Service
	b   *fakeBackend
}

func newTester(t *testing.T, edit ...func(*fakeBackend)) *tester {
	b := newFake(t)
	for _, f := range edit {
		f(b)
	}
	return &tester{t, NewService(b), b}
}

var bg = context.Background()

func ok[T any](t *tester, resp T, err error) T {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	return resp
}

func (t *tester) put(key, value string) *pb.PutResponse {
	t.Helper()
	resp, err := t.svc.Put(bg, &pb.PutRequest{Key: []byte(key), Value: []byte(value)})
	return ok(t, resp, err)
}

func (t *tester) txn(r *pb.TxnRequest) *pb.TxnResponse {
	t.Helper()
	resp, err := t.svc.Txn(bg, r)
	return ok(t, resp, err)
}

func (t *tester) equal(got, want any) {
	t.Helper()
	if diff := cmp.Diff(want, got, protocmp.Transform()); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func header(revision int64) *pb.ResponseHeader {
	return &pb.ResponseHeader{ClusterId: 5, MemberId: fakeMember, RaftTerm: fakeTerm, Revision: revision}
}

func kvOf(key, value string, create, mod, version int64) *mvccpb.KeyValue {
	return &mvccpb.KeyValue{Key: []byte(key), Value: []byte(value), CreateRevision: create, ModRevision: mod, Version: version}
}

func TestPutAndRange(t *testing.T) {
	s := newTester(t)
	s.equal(s.put("a", "1"), &pb.PutResponse{Header: header(2)})
	prev, err := s.svc.Put(bg, &pb.PutRequest{Key: []byte("a"), Value: []byte("2"), PrevKv: true})
	s.equal(ok(s, prev, err), &pb.PutResponse{Header: header(3), PrevKv: kvOf("a", "1", 2, 2, 1)})
	s.put("b", "3")

	// A historical read has the present revision in its header.
	old, err := s.svc.Range(bg, &pb.RangeRequest{Key: []byte("a"), RangeEnd: []byte("z"), Revision: 2})
	s.equal(ok(s, old, err), &pb.RangeResponse{Header: header(4), Kvs: []*mvccpb.KeyValue{kvOf("a", "1", 2, 2, 1)}, Count: 1})
	all, err := s.svc.Range(bg, &pb.RangeRequest{Key: []byte{0}, RangeEnd: []byte{0}, Limit: 1})
	s.equal(ok(s, all, err), &pb.RangeResponse{Header: header(4), Kvs: []*mvccpb.KeyValue{kvOf("a", "2", 2, 3, 2)}, Count: 2, More: true})
	del, err := s.svc.DeleteRange(bg, &pb.DeleteRangeRequest{Key: []byte("a"), RangeEnd: []byte("z"), PrevKv: true})
	s.equal(ok(s, del, err), &pb.DeleteRangeResponse{Header: header(5), Deleted: 2,
		PrevKvs: []*mvccpb.KeyValue{kvOf("a", "2", 2, 3, 2), kvOf("b", "3", 4, 4, 1)}})
	none, err := s.svc.DeleteRange(bg, &pb.DeleteRangeRequest{Key: []byte("a")})
	s.equal(ok(s, none, err), &pb.DeleteRangeResponse{Header: header(5)})
}

// TestTxnHeaders: inside a transaction etcd fills in revisions only, and leaves
// a nested transaction's header empty.
func TestTxnHeaders(t *testing.T) {
	s := newTester(t)
	got := s.txn(&pb.TxnRequest{
		Success: ops(put("a", "1"), get("a"), nested(ops(put("b", "2")), nil), del("x", "")),
	})
	rev := func(n int64) *pb.ResponseHeader { return &pb.ResponseHeader{Revision: n} }
	s.equal(got, &pb.TxnResponse{Header: header(2), Succeeded: true, Responses: []*pb.ResponseOp{
		{Response: &pb.ResponseOp_ResponsePut{ResponsePut: &pb.PutResponse{Header: rev(2)}}},
		{Response: &pb.ResponseOp_ResponseRange{ResponseRange: &pb.RangeResponse{Header: rev(2), Count: 1, Kvs: []*mvccpb.KeyValue{kvOf("a", "1", 2, 2, 1)}}}},
		{Response: &pb.ResponseOp_ResponseTxn{ResponseTxn: &pb.TxnResponse{Header: &pb.ResponseHeader{}, Succeeded: true, Responses: []*pb.ResponseOp{
			{Response: &pb.ResponseOp_ResponsePut{ResponsePut: &pb.PutResponse{Header: rev(2)}}},
		}}}},
		{Response: &pb.ResponseOp_ResponseDeleteRange{ResponseDeleteRange: &pb.DeleteRangeResponse{Header: rev(2)}}},
	}})
}

// TestReadOnlyTxn: only what can write goes through the log, and it is
// serializable only if each of its reads is.
func TestReadOnlyTxn(t *testing.T) {
	local := get("a")
	local.GetRequestRange().Serializable = true
	for _, c := range []struct {
		name           string
		txn            *pb.TxnRequest
		proposed       int
		serial, linear int
	}{
		{"gets", &pb.TxnRequest{Success: ops(get("a")), Failure: ops(local)}, 0, 0, 1},
		{"serializable gets", &pb.TxnRequest{Success: ops(local), Failure: ops(local)}, 0, 1, 0},
		{"nothing", &pb.TxnRequest{}, 0, 1, 0},
		{"a put in the branch not taken", &pb.TxnRequest{Failure: ops(put("a", ""))}, 1, 0, 0},
		{"a nested one that only reads", &pb.TxnRequest{Success: ops(nested(ops(get("a")), nil))}, 1, 0, 0},
	} {
		s := newTester(t)
		s.txn(c.txn)
		if s.b.proposed != c.proposed || s.b.views != [2]int{c.serial, c.linear} {
			t.Errorf("%s: proposed %d, views %v", c.name, s.b.proposed, s.b.views)
		}
	}
}

// TestCompareLeniency: etcd takes operators, targets and unions it doesn't know.
func TestCompareLeniency(t *testing.T) {
	key := []byte("a")
	for _, c := range []struct {
		name string
		cmp  *pb.Compare
		want bool
	}{
		{"mod revision", &pb.Compare{Key: key, Target: pb.Compare_MOD, TargetUnion: &pb.Compare_ModRevision{ModRevision: 2}}, true},
		{"union of another target is 0", &pb.Compare{Key: key, Target: pb.Compare_MOD, TargetUnion: &pb.Compare_Version{Version: 2}}, false},
		{"no union, version > 0", &pb.Compare{Key: key, Result: pb.Compare_GREATER}, true},
		{"unknown operator holds", &pb.Compare{Key: key, Result: 77, Target: pb.Compare_MOD}, true},
		{"unknown target equals", &pb.Compare{Key: key, Target: 77}, true},
		{"unknown target isn't less", &pb.Compare{Key: key, Target: 77, Result: pb.Compare_LESS}, false},
		{"unknown target isn't unequal", &pb.Compare{Key: key, Target: 77, Result: pb.Compare_NOT_EQUAL}, false},
		{"value of a missing key", &pb.Compare{Key: []byte("no"), Target: pb.Compare_VALUE, Result: pb.Compare_NOT_EQUAL, TargetUnion: &pb.Compare_Value{Value: key}}, false},
		{"version of a missing key", &pb.Compare{Key: []byte("no"), Target: pb.Compare_VERSION}, true},
		{"a range", &pb.Compare{Key: key, RangeEnd: []byte("z"), Target: pb.Compare_LEASE}, true},
	} {
		s := newTester(t)
		s.put("a", "1")
		if got := s.txn(&pb.TxnRequest{Compare: []*pb.Compare{c.cmp}}).Succeeded; got != c.want {
			t.Errorf("%s: %v", c.name, got)
		}
	}
}

func TestLeases(t *testing.T) {
	s := newTester(t)
	grant, err := s.svc.LeaseGrant(bg, &pb.LeaseGrantRequest{ID: -9, TTL: 1})
	s.equal(ok(s, grant, err), &pb.LeaseGrantResponse{Header: header(1), ID: -9, TTL: 2})
	if _, err := s.svc.LeaseGrant(bg, &pb.LeaseGrantRequest{ID: -9, TTL: 5}); err != rpctypes.ErrGRPCLeaseExist {
		t.Errorf("granting it again: %v", err)
	}
	chosen, err := s.svc.LeaseGrant(bg, &pb.LeaseGrantRequest{TTL: 60})
	if ok(s, chosen, err); chosen.ID <= 0 || chosen.TTL != 60 {
		t.Errorf("id chosen by the server: %v", chosen)
	}
	if _, err := s.svc.Put(bg, &pb.PutRequest{Key: []byte("k"), Lease: -9}); err != nil {
		t.Fatal(err)
	}
	ttl, err := s.svc.LeaseTimeToLive(bg, &pb.LeaseTimeToLiveRequest{ID: -9, Keys: true})
	s.equal(ok(s, ttl, err), &pb.LeaseTimeToLiveResponse{Header: header(2), ID: -9, TTL: 2, GrantedTTL: 2, Keys: [][]byte{[]byte("k")}})
	list, err := s.svc.LeaseLeases(bg, &pb.LeaseLeasesRequest{})
	s.equal(ok(s, list, err), &pb.LeaseLeasesResponse{Header: header(2), Leases: []*pb.LeaseStatus{{ID: -9}, {ID: chosen.ID}}})
	revoke, err := s.svc.LeaseRevoke(bg, &pb.LeaseRevokeRequest{ID: -9})
	s.equal(ok(s, revoke, err), &pb.LeaseRevokeResponse{Header: header(3)})
	gone, err := s.svc.LeaseTimeToLive(bg, &pb.LeaseTimeToLiveRequest{ID: -9, Keys: true})
	s.equal(ok(s, gone, err), &pb.LeaseTimeToLiveResponse{Header: header(3), ID: -9, TTL: -1})
}

// TestNoSpace: the first write over quota raises the alarm; then nothing that
// adds data passes until it is disarmed, and everything that frees space does.
func TestNoSpace(t *testing.T) {
	s := newTester(t, func(b *fakeBackend) { b.limits.QuotaBytes = 10_000 })
	s.put("small", "x")
	big := &pb.PutRequest{Key: []byte("big"), Value: make([]byte, 10_000)}
	if _, err := s.svc.Put(bg, big); err != rpctypes.ErrGRPCNoSpace {
		t.Fatalf("put over quota: %v", err)
	}
	refused := map[string]error{}
	_, refused["put"] = s.svc.Put(bg, &pb.PutRequest{Key: []byte("k")})
	_, refused["txn, branch not taken"] = s.svc.Txn(bg, &pb.TxnRequest{Failure: ops(put("k", ""))})
	_, refused["nested txn"] = s.svc.Txn(bg, &pb.TxnRequest{Success: ops(nested(ops(put("k", "")), nil))})
	_, refused["grant"] = s.svc.LeaseGrant(bg, &pb.LeaseGrantRequest{TTL: 9})
	for name, err := range refused {
		if err != rpctypes.ErrGRPCNoSpace {
			t.Errorf("%s: %v", name, err)
		}
	}
	// An alarm is the last check: what is malformed is told so.
	if _, err := s.svc.Put(bg, &pb.PutRequest{}); err != rpctypes.ErrGRPCEmptyKey {
		t.Errorf("put without key: %v", err)
	}
	s.txn(&pb.TxnRequest{Success: ops(del("k", ""))})
	if _, err := s.svc.Compact(bg, &pb.CompactionRequest{Revision: 2}); err != nil {
		t.Errorf("compact: %v", err)
	}
	st, err := s.svc.Status(bg, &pb.StatusRequest{})
	if ok(s, st, err); len(st.Errors) != 1 || st.Errors[0] != "memberID:7 alarm:NOSPACE" {
		t.Errorf("status: %q", st.Errors)
	}
	alarm := &pb.AlarmMember{MemberID: fakeMember, Alarm: pb.AlarmType_NOSPACE}
	list, err := s.svc.Alarm(bg, &pb.AlarmRequest{})
	s.equal(ok(s, list, err).Alarms, []*pb.AlarmMember{alarm})
	disarm, err := s.svc.Alarm(bg, &pb.AlarmRequest{Action: pb.AlarmRequest_DEACTIVATE, MemberID: fakeMember, Alarm: pb.AlarmType_NOSPACE})
	s.equal(ok(s, disarm, err).Alarms, []*pb.AlarmMember{alarm})
	s.put("small", "y")
}

func TestCorruptRefusesWrites(t *testing.T) {
	s := newTester(t)
	s.put("a", "1")
	_, err := s.svc.Alarm(bg, &pb.AlarmRequest{Action: pb.AlarmRequest_ACTIVATE, MemberID: fakeMember, Alarm: pb.AlarmType_CORRUPT})
	ok(s, 0, err)
	refused := map[string]error{}
	_, refused["put"] = s.svc.Put(bg, &pb.PutRequest{Key: []byte("k")})
	_, refused["delete"] = s.svc.DeleteRange(bg, &pb.DeleteRangeRequest{Key: []byte("k")})
	_, refused["txn"] = s.svc.Txn(bg, &pb.TxnRequest{Success: ops(del("k", ""))})
	_, refused["compact"] = s.svc.Compact(bg, &pb.CompactionRequest{Revision: 1})
	_, refused["grant"] = s.svc.LeaseGrant(bg, &pb.LeaseGrantRequest{TTL: 9})
	_, refused["revoke"] = s.svc.LeaseRevoke(bg, &pb.LeaseRevokeRequest{ID: 1})
	for name, err := range refused {
		if err != rpctypes.ErrGRPCCorrupt {
			t.Errorf("%s: %v", name, err)
		}
	}
	read, err := s.svc.Range(bg, &pb.RangeRequest{Key: []byte("a")})
	if ok(s, read, err); len(read.Kvs) != 1 {
		t.Error("reads must go on")
	}
}

// TestErrorsDoNotLeak: every sentinel has etcd's words, and what has none is
// "internal error" and not its own text.
func TestErrorsDoNotLeak(t *testing.T) {
	for sentinel, mapped := range grpcErrors {
		st, isStatus := status.FromError(mapped)
		if !isStatus || st.Code() == codes.Unknown || len(st.Message()) < len("etcdserver: ") || st.Message()[:12] != "etcdserver: " {
			t.Errorf("%v is mapped to %v", sentinel, mapped)
		}
		if got := ToGRPC(fmt.Errorf("where: %w", sentinel)); got != mapped {
			t.Errorf("wrapped %v gives %v", sentinel, got)
		}
	}
	for _, c := range []struct {
		err  error
		code codes.Code
		text string
	}{
		{errPrivate, codes.Internal, "etcdserver: internal error"},
		{context.Canceled, codes.Canceled, "context canceled"},
		{fmt.Errorf("x: %w", context.DeadlineExceeded), codes.DeadlineExceeded, "x: context deadline exceeded"},
	} {
		s := newTester(t, func(b *fakeBackend) { b.fail = c.err })
		_, err := s.svc.Put(bg, &pb.PutRequest{Key: []byte("k")})
		if st := status.Convert(err); st.Code() != c.code || st.Message() != c.text {
			t.Errorf("%v: %v", c.err, err)
		}
	}
	if ToGRPC(nil) != nil {
		t.Error("nil")
	}
}

func TestHashKV(t *testing.T) {
	s := newTester(t)
	s.put("a", "1")
	first, err := s.svc.HashKV(bg, &pb.HashKVRequest{})
	if ok(s, first, err); first.CompactRevision != -1 || first.HashRevision != 2 || first.Hash == 0 {
		t.Errorf("never compacted: %v", first)
	}
	s.put("a", "2")
	again, err := s.svc.HashKV(bg, &pb.HashKVRequest{Revision: 2})
	if ok(s, again, err); again.Hash != first.Hash || again.Header.Revision != 3 {
		t.Errorf("at revision 2: %v, before %v", again, first)
	}
	if _, err := s.svc.HashKV(bg, &pb.HashKVRequest{Revision: 9}); err != rpctypes.ErrGRPCFutureRev {
		t.Errorf("future: %v", err)
	}
}

func TestMembersAndStatus(t *testing.T) {
	s := newTester(t)
	_, err := s.b.Propose(bg, &state.MemberAttributesRequest{Member: fakeMember, Name: "n", ClientURLs: []string{"http://c:1"}})
	ok(s, 0, err)
	list, err := s.svc.MemberList(bg, &pb.MemberListRequest{Linearizable: true})
	s.equal(ok(s, list, err), &pb.MemberListResponse{Header: header(0), Members: []*pb.Member{
		{ID: fakeMember, Name: "n", PeerURLs: []string{"http://p:1"}, ClientURLs: []string{"http://c:1"}},
	}})
	s.b.leaderless = true
	st, err := s.svc.Status(bg, &pb.StatusRequest{})
	if st.DbSize == 0 || st.DbSizeInUse == 0 || st.StorageVersion == "" {
		t.Errorf("etcdctl divides by these: %v", st)
	}
	if ok(s, st, err); len(st.Errors) != 1 || st.Errors[0] != "etcdserver: no leader" || st.Version != "3.7.1" {
		t.Errorf("status: %v", st)
	}
	if _, err := s.svc.MoveLeader(bg, &pb.MoveLeaderRequest{TargetID: 1}); !errors.Is(err, rpctypes.ErrGRPCNotLeader) {
		t.Errorf("move leader: %v", err)
	}
}

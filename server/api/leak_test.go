package api

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	"github.com/holdfast-db/holdfast/mvcc"
	"github.com/holdfast-db/holdfast/server/auth"
	"github.com/holdfast-db/holdfast/server/state"
	"github.com/holdfast-db/holdfast/server/token"
)

var (
	authPairs = flag.Int("auth-pairs", 15_000, "random (policy, request) pairs of TestNoLeak")
	authSeed  = flag.Uint64("auth-seed", 1, "what TestNoLeak draws everything from")
)

// TestNoLeak asks a user's random requests of two stores that are the same but for what he may not see: hidden keys
// have other names and other values, keys that he may only write other values. Whatever he asks, under whatever
// permissions, the answers are the same: results, counts, headers, errors and watch events. And a request is refused
// exactly if a rule, asked key by key, forbids it.
//
// What every user is told of all the store, as in etcd: its revision, and its size (Status).
func TestNoLeak(t *testing.T) {
	asked, refused := 0, 0
	for round := uint64(0); asked < *authPairs; round++ {
		w := newTwins(t, rand.New(rand.NewPCG(*authSeed, round)))
		a, r := w.play()
		if asked, refused = asked+a, refused+r; t.Failed() {
			t.Fatalf("-auth-seed %d, round %d", *authSeed, round)
		}
	}
	t.Logf("%d requests, %d refused", asked, refused)
	if refused < asked/5 || refused > asked*4/5 {
		t.Errorf("%d of %d requests were refused: the generator is lopsided", refused, asked)
	}
}

// grid are the keys, and the ends of all ranges; gridPoints has a point in each stretch that such ranges can cut.
var (
	grid       = []string{"a", "ab", "b", "ba", "c", "d"}
	gridPoints = func() (list []string) {
		for _, k := range grid {
			list = append(list, k, k+"\x00")
		}
		slices.Sort(list)
		return list
	}()
)

// permissions are the rule written as plainly as can be.
type permissions []auth.Permission

func (p permissions) key(access auth.Access, k string) bool {
	return slices.ContainsFunc(p, func(q auth.Permission) bool {
		return (q.Access == access || q.Access == auth.ReadWrite) && inRange(k, string(q.Key), string(q.End))
	})
}

func (p permissions) keys(access auth.Access, key, end []byte) bool {
	if len(end) > 0 && string(end) != "\x00" && string(end) <= string(key) {
		end = nil
	}
	return !slices.ContainsFunc(gridPoints, func(k string) bool {
		return inRange(k, string(key), string(end)) && !p.key(access, k)
	})
}

func inRange(k, key, end string) bool {
	switch end {
	case "":
		return k == key
	case "\x00":
		return k >= key
	}
	return k >= key && k < end
}

// twins are the two stores.
type twins struct {
	*testing.T
	rng    *rand.Rand
	sides  [2]*side
	bob    permissions
	hidden map[string]string // what the second store calls a key that bob could never see
	serial int
}

type side struct {
	*tester
	guard *Guard
	queue *watchQueue
	watch WatchStream
}

// nameTokens are tokens that are names.
type nameTokens struct{ token.Keeper }

func (nameTokens) Who(text string, v *auth.View) (auth.Caller, error) {
	return auth.Caller{Name: text, Revision: v.Revision()}, nil
}
func (nameTokens) Assigned(state.Token) {}

func newTwins(t *testing.T, rng *rand.Rand) *twins {
	w := &twins{T: t, rng: rng, hidden: map[string]string{}}
	for i := range w.sides {
		s := newTester(t, func(b *fakeBackend) { b.tokens = nameTokens{} })
		w.sides[i] = &side{tester: s, guard: NewGuard(s.b), queue: newWatchQueue()}
		w.sides[i].watch = s.b.OpenWatch(w.sides[i].queue.push)
		w.sides[i].watch.Grant(mvcc.Credit{Responses: 1 << 20, Bytes: 1 << 30})
	}
	w.policy()
	w.rename()
	return w
}

func choose[T any](w *twins, of ...T) T { return of[w.rng.IntN(len(of))] }

func (w *twins) key() []byte { return []byte(choose(w, grid...)) }

func (w *twins) span() (key, end []byte) {
	key = w.key()
	switch w.rng.IntN(5) {
	case 0:
		end = []byte{0}
	case 1, 2:
		end = w.key()
	}
	return key, end
}

// policy gives bob two roles with some permissions.
func (w *twins) policy() {
	changes := []state.Body{&auth.UserAdd{Name: "root"}, &auth.UserGrant{User: "root", Role: "root"}, &auth.UserAdd{Name: "bob"}}
	for _, role := range []string{"r", "s"} {
		changes = append(changes, &auth.RoleAdd{Name: role}, &auth.UserGrant{User: "bob", Role: role})
	}
	for range 1 + w.rng.IntN(5) {
		key, end := w.span()
		p := auth.Permission{Access: auth.Access(w.rng.IntN(3)), Key: key, End: end}
		c := &auth.RoleGrant{Role: choose(w, "r", "s"), Permission: p}
		same := func(q auth.Permission) bool { return string(q.Key) == string(key) && string(q.End) == string(end) }
		if c.Check() == nil && !slices.ContainsFunc(w.bob, same) {
			changes = append(changes, c)
			w.bob = append(w.bob, p)
		}
	}
	for _, c := range changes {
		w.both(c)
	}
}

// both runs a command that bob has nothing to do with in both stores.
func (w *twins) both(body state.Body) {
	for _, s := range w.sides {
		s.apply(body)
	}
}

// rename permutes the keys that bob has no access to.
func (w *twins) rename() {
	var keys []string
	for _, k := range grid {
		if !w.bob.key(auth.Read, k) && !w.bob.key(auth.Write, k) {
			keys = append(keys, k)
		}
	}
	for i, j := range w.rng.Perm(len(keys)) {
		w.hidden[keys[i]] = keys[j]
	}
}

// write is one of root's: in the second store of another key, if that is hidden, and of another value, if bob can't
// read it.
func (w *twins) write() {
	k, lease := string(w.key()), int64(w.rng.IntN(4))
	if _, there := w.sides[0].b.state.Lease(lease); !there { // bob ended it
		lease = 0
	}
	w.serial++
	for i, s := range w.sides {
		put := &mvcc.PutRequest{Key: []byte(k), Value: fmt.Appendf(nil, "v%d", w.serial), Lease: lease}
		if !w.bob.key(auth.Read, k) {
			put.Value = fmt.Appendf(nil, "secret %d of side %d", w.serial, i)
		}
		if other, hidden := w.hidden[k]; hidden && i == 1 {
			put.Key = []byte(other)
		}
		s.apply(put)
	}
}

// play fills the stores, asks, takes permissions away, and asks again.
func (w *twins) play() (asked, refused int) {
	for id := range int64(3) {
		w.both(&state.LeaseGrantRequest{ID: id + 1, TTL: 60})
	}
	for range 12 {
		w.write()
	}
	w.both(&auth.Enable{})
	for range 2 {
		for range 20 {
			asked++
			if w.ask() {
				refused++
			}
			if w.rng.IntN(4) == 0 {
				w.write()
			}
		}
		w.events()
		w.takeBack()
	}
	return asked, refused
}

// takeBack revokes one permission: keys may become hidden that weren't.
func (w *twins) takeBack() {
	if len(w.bob) == 0 {
		return
	}
	i := w.rng.IntN(len(w.bob))
	p := w.bob[i]
	for _, role := range []string{"r", "s"} {
		held := slices.ContainsFunc(w.sides[0].b.Auth().Role(role).Permissions, func(q auth.Permission) bool {
			return string(q.Key) == string(p.Key) && string(q.End) == string(p.End)
		})
		if held {
			w.both(&auth.RoleRevoke{Role: role, Key: p.Key, End: p.End})
		}
	}
	w.bob = slices.Delete(slices.Clone(w.bob), i, i+1)
}

// events compares what bob's watches were told, and looks for keys that he may not read.
func (w *twins) events() {
	var told [2][]*pb.WatchResponse
	for i, s := range w.sides {
		for _, r := range s.queue.take() {
			told[i] = append(told[i], (&WatchMessage{head: s.b.Head(), response: &r, memo: new(eventMemo)}).PB())
		}
	}
	for i := range max(len(told[0]), len(told[1])) {
		if i >= len(told[0]) || i >= len(told[1]) || !proto.Equal(told[0][i], told[1][i]) {
			w.Errorf("watches were told\n%v\nand\n%v", told[0], told[1])
			return
		}
		for _, ev := range told[0][i].Events {
			if !w.bob.key(auth.Read, string(ev.Kv.Key)) {
				w.Errorf("bob was told of %q", ev.Kv.Key)
			}
		}
	}
}

// ask sends one request of bob, or once in a while of nobody, to both.
func (w *twins) ask() (refused bool) {
	who := choose(w, "bob", "bob", "bob", "bob", "bob", "bob", "bob", "bob", "bob", "")
	if w.rng.IntN(12) == 0 {
		w.openWatch(who)
		return false
	}
	method, request, allowed := w.request()
	var answers [2]proto.Message
	var errs [2]error
	for i, s := range w.sides {
		before := s.b.Head().Revision
		answers[i], errs[i] = s.call(as(who), method, request)
		if errs[i] != nil && s.b.Head().Revision != before {
			w.Errorf("%s %v: refused, and changed something", method, request)
		}
	}
	if !proto.Equal(answers[0], answers[1]) || fmt.Sprint(errs[0]) != fmt.Sprint(errs[1]) {
		w.Errorf("%s %v by %q:\n%v, %v\nand\n%v, %v\nwith %q", method, request, who, answers[0], errs[0], answers[1], errs[1], w.bob)
	}
	if errs[0] == rpctypes.ErrGRPCDuplicateKey { // refused whoever asks, by the request alone
		return false
	}
	want := error(rpctypes.ErrGRPCPermissionDenied)
	switch {
	case who == "":
		want = rpctypes.ErrGRPCUserEmpty
	case allowed:
		want = nil
	}
	denied := errs[0] == rpctypes.ErrGRPCPermissionDenied || errs[0] == rpctypes.ErrGRPCUserEmpty
	if denied != (want != nil) || denied && errs[0] != want {
		w.Errorf("%s %v by %q: %v, want %v with %q", method, request, who, errs[0], want, w.bob)
	}
	return denied
}

func (w *twins) openWatch(who string) {
	key, end := w.span()
	r := watchFromPB(&pb.WatchCreateRequest{Key: key, RangeEnd: end, PrevKv: w.rng.IntN(2) == 0, StartRevision: int64(w.rng.IntN(8))})
	for _, s := range w.sides {
		s.svc.createWatch(as(who), s.watch, s.queue, r)
	}
}

// request draws one, and says whether bob may.
func (w *twins) request() (method string, r proto.Message, allowed bool) {
	switch w.rng.IntN(12) {
	case 0, 1:
		q := w.rangeRequest()
		return choose(w, pb.KV_Range_FullMethodName, pb.KV_RangeStream_FullMethodName), q, w.bob.keys(auth.Read, q.Key, q.RangeEnd)
	case 2, 3:
		q := w.putRequest()
		return pb.KV_Put_FullMethodName, q, w.mayPut(q)
	case 4:
		q := w.deleteRequest()
		return pb.KV_DeleteRange_FullMethodName, q, w.mayDelete(q)
	case 5, 6, 7:
		q := w.txn(2)
		return pb.KV_Txn_FullMethodName, q, w.mayTxn(q)
	case 8:
		return w.leaseRequest()
	case 9:
		return pb.Lease_LeaseLeases_FullMethodName, &pb.LeaseLeasesRequest{}, w.leases(auth.Read, 1, 2, 3)
	case 10:
		name := choose(w, "bob", "root", "zed")
		return pb.Auth_UserGet_FullMethodName, &pb.AuthUserGetRequest{Name: name}, name == "bob"
	}
	return w.adminRequest()
}

func (w *twins) adminRequest() (method string, r proto.Message, allowed bool) {
	switch w.rng.IntN(4) {
	case 0:
		return pb.Maintenance_HashKV_FullMethodName, &pb.HashKVRequest{}, false
	case 1:
		return pb.KV_Compact_FullMethodName, &pb.CompactionRequest{Revision: 3}, false
	case 2:
		return pb.Auth_UserList_FullMethodName, &pb.AuthUserListRequest{}, false
	}
	role := choose(w, "r", "root", "none")
	return pb.Auth_RoleGet_FullMethodName, &pb.AuthRoleGetRequest{Role: role}, role == "r"
}

func (w *twins) rangeRequest() *pb.RangeRequest {
	key, end := w.span()
	return &pb.RangeRequest{Key: key, RangeEnd: end, Limit: int64(w.rng.IntN(3)), Revision: int64(w.rng.IntN(10)) * int64(w.rng.IntN(2)),
		CountOnly: w.rng.IntN(4) == 0, KeysOnly: w.rng.IntN(4) == 0, Serializable: w.rng.IntN(2) == 0}
}

func (w *twins) putRequest() *pb.PutRequest {
	q := &pb.PutRequest{Key: w.key(), Lease: int64(w.rng.IntN(5)) * int64(w.rng.IntN(2)), PrevKv: w.rng.IntN(3) == 0, IgnoreValue: w.rng.IntN(4) == 0}
	if !q.IgnoreValue {
		q.Value = []byte("bob's")
	}
	return q
}

func (w *twins) deleteRequest() *pb.DeleteRangeRequest {
	key, end := w.span()
	return &pb.DeleteRangeRequest{Key: key, RangeEnd: end, PrevKv: w.rng.IntN(2) == 0}
}

func (w *twins) txn(depth int) *pb.TxnRequest {
	r := &pb.TxnRequest{}
	if w.rng.IntN(2) == 0 {
		key, end := w.span()
		r.Compare = []*pb.Compare{{Key: key, RangeEnd: end, Target: pb.Compare_VERSION, Result: pb.Compare_GREATER, TargetUnion: &pb.Compare_Version{}}}
	}
	for _, ops := range []*[]*pb.RequestOp{&r.Success, &r.Failure} {
		for range w.rng.IntN(3) {
			*ops = append(*ops, w.op(depth))
		}
	}
	return r
}

func (w *twins) op(depth int) *pb.RequestOp {
	switch n := w.rng.IntN(7); {
	case n < 2:
		return rangeOp(w.rangeRequest())
	case n < 4:
		return &pb.RequestOp{Request: &pb.RequestOp_RequestPut{RequestPut: w.putRequest()}}
	case n < 5 || depth == 0:
		return &pb.RequestOp{Request: &pb.RequestOp_RequestDeleteRange{RequestDeleteRange: w.deleteRequest()}}
	}
	return &pb.RequestOp{Request: &pb.RequestOp_RequestTxn{RequestTxn: w.txn(depth - 1)}}
}

func (w *twins) leaseRequest() (method string, r proto.Message, allowed bool) {
	id := int64(1 + w.rng.IntN(4))
	switch w.rng.IntN(3) {
	case 0:
		return pb.Lease_LeaseRevoke_FullMethodName, &pb.LeaseRevokeRequest{ID: id}, w.leases(auth.Write, id)
	case 1:
		return pb.Lease_LeaseKeepAlive_FullMethodName, &pb.LeaseKeepAliveRequest{ID: id}, w.leases(auth.Write, id)
	}
	keys := w.rng.IntN(2) == 0
	return pb.Lease_LeaseTimeToLive_FullMethodName, &pb.LeaseTimeToLiveRequest{ID: id, Keys: keys}, !keys || w.leases(auth.Read, id)
}

// leases tells whether bob has access to all keys of leases.
func (w *twins) leases(access auth.Access, ids ...int64) bool {
	view, err := w.sides[0].b.View(bg, false)
	if err != nil {
		w.Fatal(err)
	}
	res, err := view.KV.Range(&mvcc.RangeRequest{Key: []byte{0}, End: []byte{0}})
	if err != nil {
		w.Fatal(err)
	}
	return !slices.ContainsFunc(res.KVs, func(kv mvcc.KeyValue) bool {
		return slices.Contains(ids, kv.Lease) && !w.bob.key(access, string(kv.Key))
	})
}

func (w *twins) mayPut(q *pb.PutRequest) bool {
	return w.bob.key(auth.Write, string(q.Key)) && (!q.PrevKv || w.bob.key(auth.Read, string(q.Key))) && (q.Lease == 0 || w.leases(auth.Write, q.Lease))
}

func (w *twins) mayDelete(q *pb.DeleteRangeRequest) bool {
	return w.bob.keys(auth.Write, q.Key, q.RangeEnd) && (!q.PrevKv || w.bob.keys(auth.Read, q.Key, q.RangeEnd))
}

func (w *twins) mayTxn(r *pb.TxnRequest) bool {
	for _, c := range r.Compare {
		if !w.bob.keys(auth.Read, c.Key, c.RangeEnd) {
			return false
		}
	}
	for _, op := range slices.Concat(r.Success, r.Failure) {
		may := true
		switch u := op.Request.(type) {
		case *pb.RequestOp_RequestRange:
			may = w.bob.keys(auth.Read, u.RequestRange.Key, u.RequestRange.RangeEnd)
		case *pb.RequestOp_RequestPut:
			may = w.mayPut(u.RequestPut)
		case *pb.RequestOp_RequestDeleteRange:
			may = w.mayDelete(u.RequestDeleteRange)
		case *pb.RequestOp_RequestTxn:
			may = w.mayTxn(u.RequestTxn)
		}
		if !may {
			return false
		}
	}
	return true
}

// call sends a request through the guard, as gRPC does.
func (s *side) call(ctx context.Context, method string, request proto.Message) (proto.Message, error) {
	resp, err := s.guard.Unary(ctx, request, &grpc.UnaryServerInfo{FullMethod: method}, func(ctx context.Context, _ any) (any, error) {
		return s.handle(ctx, method, request)
	})
	if err != nil {
		return nil, err
	}
	return resp.(proto.Message), nil
}

func (s *side) handle(ctx context.Context, method string, request proto.Message) (any, error) {
	switch r := request.(type) {
	case *pb.RangeRequest:
		if method == pb.KV_Range_FullMethodName {
			return s.svc.Range(ctx, r)
		}
		chunks := &chunkSink{ctx: ctx}
		err := s.svc.RangeStream(r, chunks)
		return &chunks.joined, err
	case *pb.PutRequest:
		return s.svc.Put(ctx, r)
	case *pb.DeleteRangeRequest:
		return s.svc.DeleteRange(ctx, r)
	case *pb.TxnRequest:
		return s.svc.Txn(ctx, r)
	case *pb.CompactionRequest:
		return s.svc.Compact(ctx, r)
	case *pb.LeaseRevokeRequest:
		return s.svc.LeaseRevoke(ctx, r)
	case *pb.LeaseTimeToLiveRequest:
		return s.svc.LeaseTimeToLive(ctx, r)
	case *pb.LeaseLeasesRequest:
		return s.svc.LeaseLeases(ctx, r)
	case *pb.LeaseKeepAliveRequest:
		k := &fakeKeepAlive{ctx: ctx}
		if err := s.svc.keepAlive(ctx, k, r); err != nil {
			return nil, err
		}
		return k.replies[0], nil
	case *pb.HashKVRequest:
		return s.svc.HashKV(ctx, r)
	case *pb.AuthUserGetRequest:
		return s.svc.UserGet(ctx, r)
	case *pb.AuthUserListRequest:
		return s.svc.UserList(ctx, r)
	case *pb.AuthRoleGetRequest:
		return s.svc.RoleGet(ctx, r)
	}
	panic(fmt.Sprintf("no handler for %T", request))
}

// chunkSink joins a streamed range.
type chunkSink struct {
	ctx    context.Context
	joined pb.RangeResponse
}

func (c *chunkSink) Context() context.Context { return c.ctx }
func (c *chunkSink) Send(r *pb.RangeStreamResponse) error {
	proto.Merge(&c.joined, r.RangeResponse)
	return nil
}

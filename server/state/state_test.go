package state

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/holdfast-db/holdfast/mvcc"
	"github.com/holdfast-db/holdfast/server/auth"
)

// fixture applies commands one an entry and collects their outcomes.
type fixture struct {
	testing.TB
	*State
	now, seq uint64 // the leader's term; the last request's number
	replies  map[RequestID]*Result
}

func newFixture(t testing.TB) *fixture {
	s := New(Options{})
	s.members.replace([]ConfigMember{{ID: 1, PeerURLs: []string{"http://a"}}, {ID: 2, PeerURLs: []string{"http://b"}}})
	return &fixture{TB: t, State: s, now: 1, replies: map[RequestID]*Result{}}
}

func (f *fixture) reply(id RequestID, r *Result) { f.replies[id] = r }

func (f *fixture) id() RequestID {
	f.seq++
	return RequestID{Member: 1, Incarnation: 0x11, Boot: 1, Seq: f.seq}
}

// send applies one command and returns what its asker was told, nil if nothing.
func (f *fixture) send(e Encoded) *Result {
	f.Helper()
	delete(f.replies, e.ID)
	if err := f.Apply(f.applied+1, f.now, AppendBatch(nil, []Encoded{e}), f.reply); err != nil {
		f.Fatalf("apply: %v", err)
	}
	return f.replies[e.ID]
}

func (f *fixture) do(body Body) *Result {
	f.Helper()
	return f.send(Encoded{ID: f.id(), Term: f.now, Body: AppendBody(nil, body)})
}

func (f *fixture) must(body Body) *Result {
	f.Helper()
	r := f.do(body)
	if r.Err != nil {
		f.Fatalf("%T: %v", body, r.Err)
	}
	return r
}

func (f *fixture) fails(body Body, want error) {
	f.Helper()
	if r := f.do(body); !errors.Is(r.Err, want) {
		f.Errorf("%T %+v: %v, want %v", body, body, r.Err, want)
	}
}

func put(key, value string, lease int64) *mvcc.PutRequest {
	return &mvcc.PutRequest{Key: []byte(key), Value: []byte(value), Lease: lease}
}

// contents prints the live keys, with their leases and revisions.
func contents(v *View) string {
	res, err := v.KV.Range(&mvcc.RangeRequest{Key: []byte{0}, End: []byte{0}})
	if err != nil {
		return err.Error()
	}
	var b strings.Builder
	for _, kv := range res.KVs {
		fmt.Fprintf(&b, "%s=%s/%d@%d ", kv.Key, kv.Value, kv.Lease, kv.ModRevision)
	}
	return b.String()
}

func leaseKeys(v *View, id int64) string {
	return string(slices.Concat(slices.Collect(func(yield func([]byte) bool) {
		for _, k := range v.LeaseKeys(id) {
			if !yield(append(k, ' ')) {
				return
			}
		}
	})...))
}

func TestLeaseGrant(t *testing.T) {
	f := newFixture(t)
	if r := f.must(&LeaseGrantRequest{ID: 7, TTL: 60}); r.Lease == nil || r.Lease.ID != 7 || r.Lease.TTL != 60 || r.Revision != 1 {
		t.Errorf("granted %+v at %d", r.Lease, r.Revision)
	}
	f.fails(&LeaseGrantRequest{ID: 7, TTL: 1}, ErrLeaseExists)
	f.fails(&LeaseGrantRequest{ID: 7, TTL: LeaseTTLMax + 1}, ErrLeaseTTLTooLarge)
	f.must(&LeaseGrantRequest{ID: 8, TTL: LeaseTTLMax})
	f.fails(put("k", "v", 9), ErrLeaseNotFound)
	if r := f.do(put("k", "v", 9)); r.Revision != 1 {
		t.Errorf("a refused put left revision %d", r.Revision)
	}
}

// All keys of a lease go in one revision, in their order; keys that left the
// lease before stay (faults L3).
func TestLeaseRevokeDeletesItsKeysInOneRevision(t *testing.T) {
	f := newFixture(t)
	f.must(&LeaseGrantRequest{ID: 7, TTL: 60})
	f.must(&LeaseGrantRequest{ID: 8, TTL: 60})
	for _, p := range []*mvcc.PutRequest{put("c", "1", 7), put("a", "1", 7), put("moved", "1", 7), put("bare", "1", 7),
		put("deleted", "1", 7), put("b", "1", 7), put("other", "1", 8)} {
		f.must(p)
	}
	f.must(put("moved", "2", 8))
	f.must(put("bare", "2", 0))
	f.must(&mvcc.PutRequest{Key: []byte("a"), Value: []byte("2"), IgnoreLease: true})
	f.must(&mvcc.DeleteRangeRequest{Key: []byte("deleted")})
	before := f.View()
	if got := leaseKeys(before, 7); got != "a b c " {
		t.Fatalf("keys of lease 7: %q", got)
	}
	r := f.must(&LeaseRevokeRequest{ID: 7})
	if r.Revision != before.Revision()+1 {
		t.Errorf("revision went from %d to %d", before.Revision(), r.Revision)
	}
	var gone []string
	if err := f.View().KV.Export(func(rec mvcc.Record) error {
		if rec.Revision.Main == r.Revision {
			gone = append(gone, fmt.Sprintf("%s@%v deleted=%v", rec.Key, rec.Revision, rec.Version == 0))
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	rev := r.Revision
	want := []string{fmt.Sprintf("a@%d.0 deleted=true", rev), fmt.Sprintf("b@%d.1 deleted=true", rev), fmt.Sprintf("c@%d.2 deleted=true", rev)}
	if diff := cmp.Diff(want, gone); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if got := contents(f.View()); got != "bare=2/0@10 moved=2/8@9 other=1/8@8 " {
		t.Errorf("left: %s", got)
	}
	if got := leaseKeys(before, 7); got != "a b c " {
		t.Errorf("the old view's keys became %q", got)
	}
	f.fails(&LeaseRevokeRequest{ID: 7}, ErrLeaseNotFound)
	if r := f.must(&LeaseRevokeRequest{ID: 8}); r.Revision != rev+1 {
		t.Errorf("second revoke at %d", r.Revision)
	}
	f.must(&LeaseGrantRequest{ID: 9, TTL: 5})
	if r := f.must(&LeaseRevokeRequest{ID: 9}); r.Revision != rev+1 {
		t.Errorf("a lease without keys moved the revision to %d", r.Revision)
	}
}

// A leader's own revocation counts only in its term (etcd #15247); a client's
// counts always.
func TestExpiredRevokeOfAnotherTermIsVoid(t *testing.T) {
	f := newFixture(t)
	f.now = 5
	f.must(&LeaseGrantRequest{ID: 7, TTL: 60})
	f.must(put("k", "v", 7))
	body := AppendBody(nil, &LeaseRevokeRequest{ID: 7, Expired: true})
	for _, term := range []uint64{4, 6, 0} {
		if r := f.send(Encoded{ID: f.id(), Term: term, Body: body}); !errors.Is(r.Err, ErrStaleTerm) {
			t.Errorf("proposed in term %d: %v", term, r.Err)
		}
	}
	if got := contents(f.View()); got != "k=v/7@2 " {
		t.Fatalf("left: %s", got)
	}
	if r := f.send(Encoded{ID: f.id(), Term: 5, Body: body}); r.Err != nil {
		t.Errorf("of its own term: %v", r.Err)
	}
	f.must(&LeaseGrantRequest{ID: 8, TTL: 60})
	client := AppendBody(nil, &LeaseRevokeRequest{ID: 8})
	if r := f.send(Encoded{ID: f.id(), Term: 1, Body: client}); r.Err != nil {
		t.Errorf("a client's: %v", r.Err)
	}
}

func TestLeaseCheckpoint(t *testing.T) {
	f := newFixture(t)
	var heard []LeaseChange
	f.options.LeaseChanged = func(c LeaseChange) { heard = append(heard, c) }
	f.must(&LeaseGrantRequest{ID: 7, TTL: 60})
	f.must(&LeaseCheckpointRequest{AsOf: f.applied, Checkpoints: []LeaseCheckpoint{{ID: 6, Remaining: 3}, {ID: 7, Remaining: 40}}})
	if l, ok := f.View().Lease(7); !ok || l.RemainingTTL() != 40 || l.TTL != 60 {
		t.Errorf("lease %+v", l)
	}
	counted := f.applied // by a leader that has yet to apply what comes now
	f.must(&LeaseCheckpointRequest{Checkpoints: []LeaseCheckpoint{{ID: 7}}})
	f.must(&LeaseCheckpointRequest{AsOf: counted, Checkpoints: []LeaseCheckpoint{{ID: 7, Remaining: 39}}})
	if l, _ := f.View().Lease(7); l.RemainingTTL() != 60 {
		t.Errorf("lease %+v", l)
	}
	f.must(&LeaseRevokeRequest{ID: 7})
	want := []LeaseChange{{Lease: Lease{7, 60, 0, 1}}, {Lease: Lease{7, 60, 40, 1}}, {Lease: Lease{7, 60, 0, 3}}, {Lease: Lease{7, 60, 0, 3}, Gone: true}}
	if diff := cmp.Diff(want, heard); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestAlarmNoSpace(t *testing.T) {
	f := newFixture(t)
	f.must(&LeaseGrantRequest{ID: 7, TTL: 60})
	f.must(put("k", "v", 0))
	r := f.must(&AlarmRequest{Activate: true, Member: 1, Kind: AlarmNoSpace})
	if diff := cmp.Diff([]Alarm{{Member: 1, Kind: AlarmNoSpace}}, r.Alarms); diff != "" {
		t.Errorf("activate (-want +got)\n%s", diff)
	}
	again := f.must(&AlarmRequest{Activate: true, Member: 1, Kind: AlarmNoSpace})
	if len(again.Alarms) != 1 || len(f.View().Alarms()) != 1 {
		t.Errorf("activated twice: %v, %v", again.Alarms, f.View().Alarms())
	}
	nested := &mvcc.TxnRequest{Failure: []mvcc.Op{{Txn: &mvcc.TxnRequest{Success: []mvcc.Op{{Put: put("n", "", 0)}}}}}}
	for _, body := range []Body{put("k", "w", 0), &LeaseGrantRequest{ID: 8, TTL: 9}, nested} {
		if err := Admit(body, true, false); !errors.Is(err, ErrNoSpace) {
			t.Errorf("Admit(%T) = %v", body, err)
		}
		f.fails(body, ErrNoSpace)
	}
	reads := &mvcc.TxnRequest{Success: []mvcc.Op{{Delete: &mvcc.DeleteRangeRequest{Key: []byte("z")}}, {Range: &mvcc.RangeRequest{Key: []byte("k")}}}}
	for _, body := range []Body{reads, &mvcc.DeleteRangeRequest{Key: []byte("k")}, &CompactRequest{Revision: 2}, &LeaseRevokeRequest{ID: 7}} {
		if err := Admit(body, true, false); err != nil {
			t.Errorf("Admit(%T) = %v", body, err)
		}
		f.must(body)
	}
	f.must(&AlarmRequest{Activate: true, Member: 2, Kind: AlarmNoSpace})
	f.must(&AlarmRequest{Member: 1, Kind: AlarmNoSpace})
	f.fails(put("k", "w", 0), ErrNoSpace) // the other's is still raised
	if r := f.must(&AlarmRequest{Member: 1, Kind: AlarmNoSpace}); len(r.Alarms) != 0 {
		t.Errorf("disarmed twice: %v", r.Alarms)
	}
	f.must(&AlarmRequest{Member: 2, Kind: AlarmNoSpace})
	f.must(put("k", "w", 0))
}

func TestAlarmCorrupt(t *testing.T) {
	f := newFixture(t)
	f.must(&LeaseGrantRequest{ID: 7, TTL: 60})
	f.must(put("k", "v", 0))
	f.must(&AlarmRequest{Activate: true, Member: 2, Kind: AlarmCorrupt})
	f.must(&AlarmRequest{Activate: true, Member: 2, Kind: AlarmNoSpace})
	for _, body := range []Body{put("k", "w", 0), &mvcc.DeleteRangeRequest{Key: []byte("k")}, &mvcc.TxnRequest{},
		&CompactRequest{Revision: 2}, &LeaseGrantRequest{ID: 8, TTL: 9}, &LeaseRevokeRequest{ID: 7}} {
		f.fails(body, ErrCorrupt)
	}
	if got := contents(f.View()); got != "k=v/0@2 " {
		t.Errorf("left: %s", got)
	}
	f.must(&MemberAttributesRequest{Member: 1, Name: "n"})
	f.must(&AlarmRequest{Member: 2, Kind: AlarmCorrupt})
	f.must(&mvcc.DeleteRangeRequest{Key: []byte("k")})
}

func TestAlarmOfWhom(t *testing.T) {
	f := newFixture(t)
	f.fails(&AlarmRequest{Activate: true, Member: 9, Kind: AlarmNoSpace}, ErrMemberNotFound)
	f.must(&AlarmRequest{Activate: true, Member: 0, Kind: AlarmNoSpace})
	if r := f.must(&AlarmRequest{Activate: true, Member: 1, Kind: AlarmNone}); len(r.Alarms) != 0 {
		t.Errorf("kind NONE raised %v", r.Alarms)
	}
	if diff := cmp.Diff([]Alarm{{Kind: AlarmNoSpace}}, f.View().Alarms()); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// A request applies once, however often it is in the log; one that can't be
// told from an applied one doesn't apply (faults R10, mutant 72).
func TestRequestsApplyOnce(t *testing.T) {
	f := newFixture(t)
	id := f.id()
	first := Encoded{ID: id, Term: 1, Body: AppendBody(nil, put("k", "1", 0))}
	if r := f.send(first); r.Err != nil || r.Revision != 2 {
		t.Fatalf("first: %v at %d", r.Err, r.Revision)
	}
	if r := f.send(first); !errors.Is(r.Err, ErrDuplicate) || r.Revision != 2 {
		t.Errorf("again: %v at %d", r.Err, r.Revision)
	}
	change := func(do func(*RequestID)) Encoded {
		e := first
		do(&e.ID)
		return e
	}
	for name, e := range map[string]Encoded{
		"lower boot":        change(func(id *RequestID) { id.Boot = 0; id.Seq = 9 }),
		"other incarnation": change(func(id *RequestID) { id.Incarnation++; id.Seq = 9 }),
		"unknown member":    change(func(id *RequestID) { id.Member = 99; id.Seq = 9 }),
	} {
		if r := f.send(e); !errors.Is(r.Err, ErrAmbiguous) || r.Revision != 2 {
			t.Errorf("%s: %v at %d", name, r.Err, r.Revision)
		}
	}
	if r := f.send(change(func(id *RequestID) { id.Boot++ })); r.Err != nil || r.Revision != 3 {
		t.Errorf("next boot: %v at %d", r.Err, r.Revision)
	}
	if r := f.send(first); !errors.Is(r.Err, ErrAmbiguous) {
		t.Errorf("late from the boot before: %v", r.Err)
	}
	f.send(change(func(id *RequestID) { id.Boot++; id.Seq = 2 * WindowSize }))
	if r := f.send(change(func(id *RequestID) { id.Boot++; id.Seq = WindowSize })); !errors.Is(r.Err, ErrAmbiguous) {
		t.Errorf("below the window: %v", r.Err)
	}
}

// A refused request is spent too: its repetition isn't another try.
func TestRefusedRequestIsSpent(t *testing.T) {
	f := newFixture(t)
	e := Encoded{ID: f.id(), Term: 1, Body: AppendBody(nil, put("k", "1", 5))}
	if r := f.send(e); !errors.Is(r.Err, ErrLeaseNotFound) {
		t.Fatal(r.Err)
	}
	f.must(&LeaseGrantRequest{ID: 5, TTL: 9})
	if r := f.send(e); !errors.Is(r.Err, ErrDuplicate) {
		t.Errorf("again: %v", r.Err)
	}
}

// Commands without an asker always apply, and nobody is told.
func TestInternalCommands(t *testing.T) {
	f := newFixture(t)
	e := Encoded{Term: 1, Body: AppendBody(nil, put("k", "1", 0))}
	for range 2 {
		if r := f.send(e); r != nil {
			t.Errorf("reply %+v", r)
		}
	}
	if got := contents(f.View()); got != "k=1/0@3 " {
		t.Error(got)
	}
}

func TestAuthRevisionIsComparedAtApply(t *testing.T) {
	f := newFixture(t)
	enableAuth(f)
	at := f.auth.Revision()
	e := Encoded{ID: f.id(), Term: 1, Caller: auth.Caller{Name: "bob", Revision: at}, Body: AppendBody(nil, put("k", "1", 0))}
	if r := f.send(e); r.Err != nil {
		t.Fatal(r.Err)
	}
	f.as("root", &auth.RoleAdd{Name: "other"})
	e.ID = f.id()
	if r := f.send(e); !errors.Is(r.Err, auth.ErrOldRevision) || r.Revision != 2 {
		t.Errorf("%v at %d", r.Err, r.Revision)
	}
}

func TestMembership(t *testing.T) {
	f := newFixture(t)
	f.must(&MemberAttributesRequest{Member: 1, Name: "one", ClientURLs: []string{"http://a:2379"}})
	f.must(&MemberAttributesRequest{Member: 2, Name: "two"})
	f.must(&AlarmRequest{Activate: true, Member: 2, Kind: AlarmNoSpace})
	f.must(&AlarmRequest{Activate: true, Member: 0, Kind: AlarmCorrupt})
	f.fails(&MemberAttributesRequest{Member: 3, Name: "three"}, ErrMemberNotFound)
	old := f.View()

	asker := f.id()
	joint := Membership{Context: AppendRequestID(nil, asker), Members: []ConfigMember{
		{ID: 3, PeerURLs: []string{"http://c"}, Learner: true}, {ID: 1, Incarnation: 0x11, PeerURLs: []string{"http://a", "http://a6"}}, {ID: 2, PeerURLs: []string{"http://b"}}}}
	if err := f.ApplyConfig(f.applied+1, f.now, joint, f.reply); err != nil {
		t.Fatal(err)
	}
	if f.replies[asker] != nil {
		t.Error("answered in the joint phase")
	}
	final := joint
	final.Final, final.Members = true, joint.Members[:2]
	if err := f.ApplyConfig(f.applied+1, f.now, final, f.reply); err != nil {
		t.Fatal(err)
	}
	want := []Member{{ID: 1, Name: "one", PeerURLs: []string{"http://a", "http://a6"}, ClientURLs: []string{"http://a:2379"}},
		{ID: 3, PeerURLs: []string{"http://c"}, Learner: true}}
	if diff := cmp.Diff(want, f.replies[asker].Members); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if diff := cmp.Diff([]Alarm{{Kind: AlarmCorrupt}}, f.View().Alarms()); diff != "" {
		t.Errorf("alarms (-want +got)\n%s", diff)
	}
	if len(old.Members()) != 2 || len(old.Members()[0].PeerURLs) != 1 || len(old.Alarms()) != 2 {
		t.Errorf("the old view changed: %+v, %+v", old.Members(), old.Alarms())
	}
	repeated := Encoded{ID: asker, Term: 1, Body: AppendBody(nil, &CompactRequest{Revision: 1})}
	if r := f.send(repeated); !errors.Is(r.Err, ErrDuplicate) {
		t.Errorf("the asker's id again: %v", r.Err)
	}
}

// A member that was removed and added again has lost its requests' window, and
// its name: nothing old of it may count.
func TestRemovedMemberIsForgotten(t *testing.T) {
	f := newFixture(t)
	id := RequestID{Member: 2, Incarnation: 0x22, Boot: 5, Seq: 1}
	e := Encoded{ID: id, Term: 1, Body: AppendBody(nil, put("k", "1", 0))}
	f.send(e)
	f.must(&MemberAttributesRequest{Member: 2, Name: "two"})
	for _, members := range [][]ConfigMember{{{ID: 1}}, {{ID: 1}, {ID: 2}}} {
		if err := f.ApplyConfig(f.applied+1, f.now, Membership{Members: members, Final: true}, nil); err != nil {
			t.Fatal(err)
		}
		if r := f.send(e); len(members) == 1 && !errors.Is(r.Err, ErrAmbiguous) {
			t.Errorf("late request of a removed member: %v", r.Err)
		}
		if f.Removed(2) != (len(members) == 1) {
			t.Errorf("removed: %v, with members %+v", f.RemovedMembers(), members)
		}
		if copied, err := reload(f.State); err != nil || copied.Removed(2) != f.Removed(2) {
			t.Errorf("reloaded: %v", err)
		}
	}
	if m := f.Members(); len(m) != 2 || m[1].Name != "" {
		t.Errorf("members %+v", m)
	}
}

// What a member was told at its start shows, but changes nothing: replicas that
// were told different things agree, from the first entry on.
func TestInitialMembersAreNoPartOfTheState(t *testing.T) {
	founder := &fixture{TB: t, State: New(Options{Members: []ConfigMember{{ID: 2, PeerURLs: []string{"http://b"}}, {ID: 1}}}), now: 1, replies: map[RequestID]*Result{}}
	joiner := &fixture{TB: t, State: New(Options{Members: []ConfigMember{{ID: 9}}}), now: 1, replies: map[RequestID]*Result{}}
	for _, f := range []*fixture{founder, joiner} {
		f.must(put("k", "v", 0))
		f.must(&MemberAttributesRequest{Member: 2, Name: "two"})
		f.must(&AlarmRequest{Activate: true, Member: 2, Kind: AlarmNoSpace})
	}
	if founder.Hash() != joiner.Hash() {
		t.Error("hashes differ before the first configuration")
	}
	want := []Member{{ID: 1}, {ID: 2, Name: "two", PeerURLs: []string{"http://b"}}}
	if diff := cmp.Diff(want, founder.Members()); diff != "" {
		t.Errorf("shown before the first configuration (-want +got)\n%s", diff)
	}
	for _, f := range []*fixture{founder, joiner} {
		if err := f.ApplyConfig(f.applied+1, f.now, Membership{Members: []ConfigMember{{ID: 1}, {ID: 3}}, Final: true}, nil); err != nil {
			t.Fatal(err)
		}
		if r := f.send(Encoded{ID: RequestID{Member: 2, Incarnation: 1, Boot: 1, Seq: 1}, Term: 1, Body: AppendBody(nil, put("k", "w", 0))}); !errors.Is(r.Err, ErrAmbiguous) {
			t.Errorf("request of someone who isn't a member: %v", r.Err)
		}
	}
	if founder.Hash() != joiner.Hash() || fmt.Sprint(founder.Members()) != fmt.Sprint(joiner.Members()) {
		t.Error("the replicas differ after the first configuration")
	}
}

func TestApplyConfigRefusesBadContext(t *testing.T) {
	f := newFixture(t)
	if err := f.ApplyConfig(1, 1, Membership{Context: []byte("?"), Final: true}, nil); !errors.Is(err, ErrMalformed) {
		t.Errorf("err = %v", err)
	}
	if f.AppliedIndex() != 0 || len(f.Members()) != 2 {
		t.Errorf("applied %d, members %v", f.AppliedIndex(), f.Members())
	}
}

// An entry without data only moves the index; one that can't be read stops.
func TestApplyEntries(t *testing.T) {
	f := newFixture(t)
	if err := f.Apply(1, 4, nil, nil); err != nil || f.AppliedIndex() != 1 || f.AppliedTerm() != 4 {
		t.Errorf("empty: %v, %d@%d", err, f.AppliedIndex(), f.AppliedTerm())
	}
	if err := f.Apply(2, 4, []byte{1, 1, 0, 0, 0, 1, 99}, nil); !errors.Is(err, ErrUnknownFormat) {
		t.Errorf("unknown kind: %v", err)
	}
	for _, at := range [][2]uint64{{2, 4}, {4, 4}, {3, 3}} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("entry %d@%d was applied after 2@4", at[0], at[1])
				}
			}()
			_ = f.Apply(at[0], at[1], nil, nil)
		}()
	}
}

// One entry holds many commands; each sees what those before it did.
func TestBatchAppliesInOrder(t *testing.T) {
	f := newFixture(t)
	var batch []Encoded
	for _, body := range []Body{put("k", "1", 0), &LeaseGrantRequest{ID: 5, TTL: 9}, put("k", "2", 5), put("k", "3", 6), &LeaseRevokeRequest{ID: 5}} {
		batch = append(batch, Encoded{ID: f.id(), Term: 1, Body: AppendBody(nil, body)})
	}
	var got []string
	if err := f.Apply(1, 1, AppendBatch(nil, batch), func(id RequestID, r *Result) {
		got = append(got, fmt.Sprintf("%d: %d %v", id.Seq, r.Revision, r.Err))
	}); err != nil {
		t.Fatal(err)
	}
	want := []string{"1: 2 <nil>", "2: 2 <nil>", "3: 3 <nil>", "4: 3 " + ErrLeaseNotFound.Error(), "5: 4 <nil>"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// Everything replicated is in the hash: two states that differ in one thing
// only have different hashes (mutant 49).
func TestHashCoversEverything(t *testing.T) {
	base := func() *fixture {
		f := newFixture(t)
		f.must(&LeaseGrantRequest{ID: 7, TTL: 60})
		f.must(put("k", "v", 7))
		f.must(&AlarmRequest{Activate: true, Member: 1, Kind: AlarmNoSpace})
		return f
	}
	if one, other := base().Hash(), base().Hash(); one != other {
		t.Fatal("equal states have different hashes")
	}
	changes := map[string]func(*fixture){
		"nothing":         func(*fixture) {},
		"value":           func(f *fixture) { _, _ = f.store.Put(put("k", "w", 7), &f.leases) },
		"lease":           func(f *fixture) { f.leases.set(Lease{ID: 8, TTL: 60}) },
		"ttl":             func(f *fixture) { f.leases.set(Lease{ID: 7, TTL: 61}) },
		"checkpoint":      func(f *fixture) { f.leases.set(Lease{ID: 7, TTL: 60, Remaining: 1}) },
		"taken back":      func(f *fixture) { f.leases.set(Lease{ID: 7, TTL: 60, Since: 99}) },
		"attachment":      func(f *fixture) { f.leases.Attach(7, []byte("l")) },
		"alarm":           func(f *fixture) { f.alarms = f.alarms.with(Alarm{Member: 2, Kind: AlarmNoSpace}) },
		"alarm kind":      func(f *fixture) { f.alarms = alarms{{Member: 1, Kind: AlarmCorrupt}} },
		"member name":     func(f *fixture) { f.members.rows[0].Name = "x" },
		"peer url":        func(f *fixture) { f.members.rows[0].PeerURLs = []string{"x"} },
		"client url":      func(f *fixture) { f.members.rows[0].ClientURLs = []string{"x"} },
		"learner":         func(f *fixture) { f.members.rows[1].Learner = true },
		"incarnation":     func(f *fixture) { f.members.rows[1].incarnation = 1 },
		"window":          func(f *fixture) { _ = f.members.rows[0].window.mark(1000) },
		"window bit":      func(f *fixture) { f.members.rows[0].window.bits[0] &^= 2 },
		"window boot":     func(f *fixture) { f.members.rows[0].window.boot++ },
		"auth revision":   func(f *fixture) { _ = f.auth.Apply(&auth.RoleAdd{Name: "r"}) },
		"table not known": func(f *fixture) { f.members.known = false },
		"member gone":     func(f *fixture) { f.members.rows = f.members.rows[:1] },
		"compaction":      func(f *fixture) { _ = f.store.Compact(2) },
		"window of other": func(f *fixture) { f.members.rows[1].window.incarnation = 3 },
	}
	seen := map[uint64]string{}
	for name, change := range changes {
		f := base()
		change(f)
		h := f.Hash()
		if other, taken := seen[h]; taken {
			t.Errorf("%q and %q have the same hash", name, other)
		}
		seen[h] = name
	}
}

// Views are read by many goroutines while the state goes on (run with -race).
func TestViewsUnderConcurrentApply(t *testing.T) {
	f := newFixture(t)
	f.must(&LeaseGrantRequest{ID: 7, TTL: 60})
	var wg sync.WaitGroup
	for i := range 200 {
		f.must(put(fmt.Sprintf("k%03d", i), "v", 7))
		v, want := f.View(), i+1
		if i%10 != 0 {
			continue
		}
		wg.Go(func() {
			if n := len(v.LeaseKeys(7)); n != want || v.KV.Keys() != int64(want) || v.LeaseCount() < 1 {
				t.Errorf("view of %d keys: %d leased, %d in all", want, n, v.KV.Keys())
			}
			v.AscendLeases(func(Lease) bool { return true })
			_ = fmt.Sprint(v.Members(), v.Alarms(), v.AppliedIndex(), v.Bytes(), v.CompactRevision())
		})
		f.must(&LeaseGrantRequest{ID: int64(100 + i), TTL: 60})
		f.must(&MemberAttributesRequest{Member: 1, Name: fmt.Sprint(i)})
	}
	wg.Wait()
}

// Asking twice for a view of the same state gives the same one.
func TestViewIsSharedUntilSomethingHappens(t *testing.T) {
	f := newFixture(t)
	f.must(put("k", "v", 0))
	a, b := f.View(), f.View()
	f.must(put("k", "w", 0))
	if a != b || a == f.View() {
		t.Error("views aren't shared as they should")
	}
}

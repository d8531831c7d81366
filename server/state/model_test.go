package state

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/holdfast-db/holdfast/internal/fuzz"
	"github.com/holdfast-db/holdfast/mvcc"
	"github.com/holdfast-db/holdfast/server/auth"
)

// oracle is the state machine written the slow and obvious way. It shares no
// code with State but the request types, the errors and WindowSize.
type oracle struct {
	rev, compacted int64
	keys           map[string]oracleKey
	leases         map[int64]oracleLease
	index          uint64 // of the entry that is applied
	alarms         map[Alarm]bool
	members        map[uint64]*oracleMember
	known          bool     // a configuration has been applied
	initial        []uint64 // shown until then
}

type oracleKey struct {
	value   string
	lease   int64
	mod     int64
	version int64
}

type oracleLease struct {
	ttl, remaining int64
	since          uint64
}

type oracleMember struct {
	bound  uint64
	name   string
	window naiveWindow
}

func newOracle(initial ...uint64) *oracle {
	return &oracle{rev: 1, compacted: -1, keys: map[string]oracleKey{}, leases: map[int64]oracleLease{},
		alarms: map[Alarm]bool{}, members: map[uint64]*oracleMember{}, initial: initial}
}

// member is nil for one that isn't there; before the first configuration
// everyone may be.
func (o *oracle) member(id uint64) *oracleMember {
	if o.members[id] == nil && !o.known {
		o.members[id] = &oracleMember{window: naiveWindow{applied: map[uint64]bool{}}}
	}
	return o.members[id]
}

func (o *oracle) apply(id RequestID, proposed, committed uint64, body Body) error {
	if id.Seq != 0 {
		m := o.member(id.Member)
		if m == nil {
			return ErrAmbiguous
		}
		if err := m.window.admit(id); err != nil {
			return err
		}
	}
	for a := range o.alarms {
		switch body.(type) {
		case *mvcc.PutRequest, *LeaseGrantRequest:
			if a.Kind == AlarmNoSpace && !o.corrupt() {
				return ErrNoSpace
			}
		}
	}
	if o.corrupt() {
		switch body.(type) {
		case *AlarmRequest, *MemberAttributesRequest, *LeaseCheckpointRequest:
		default:
			return ErrCorrupt
		}
	}
	return o.run(proposed, committed, body)
}

func (o *oracle) corrupt() bool {
	for a := range o.alarms {
		if a.Kind == AlarmCorrupt {
			return true
		}
	}
	return false
}

func (o *oracle) run(proposed, committed uint64, body Body) error {
	switch b := body.(type) {
	case *mvcc.PutRequest:
		if _, ok := o.leases[b.Lease]; b.Lease != 0 && !ok {
			return ErrLeaseNotFound
		}
		o.rev++
		o.keys[string(b.Key)] = oracleKey{string(b.Value), b.Lease, o.rev, o.keys[string(b.Key)].version + 1}
	case *mvcc.DeleteRangeRequest:
		o.deleteWhere(func(key string, _ oracleKey) bool { return key >= string(b.Key) && key < string(b.End) })
	case *LeaseGrantRequest:
		if b.TTL > LeaseTTLMax {
			return ErrLeaseTTLTooLarge
		}
		if _, ok := o.leases[b.ID]; ok {
			return ErrLeaseExists
		}
		o.leases[b.ID] = oracleLease{ttl: b.TTL, since: o.index}
	case *LeaseRevokeRequest:
		if b.Expired && proposed != committed {
			return ErrStaleTerm
		}
		if _, ok := o.leases[b.ID]; !ok {
			return ErrLeaseNotFound
		}
		delete(o.leases, b.ID)
		o.deleteWhere(func(_ string, k oracleKey) bool { return k.lease == b.ID })
	case *LeaseCheckpointRequest:
		for _, c := range b.Checkpoints {
			switch l, ok := o.leases[c.ID]; {
			case ok && c.Remaining == 0:
				o.leases[c.ID] = oracleLease{l.ttl, 0, o.index}
			case ok && l.since <= b.AsOf:
				o.leases[c.ID] = oracleLease{l.ttl, c.Remaining, l.since}
			}
		}
	case *CompactRequest:
		if b.Revision <= o.compacted {
			return mvcc.ErrCompacted
		}
		if b.Revision > o.rev {
			return mvcc.ErrFutureRevision
		}
		o.compacted = b.Revision
	case *AlarmRequest:
		if b.Kind == AlarmNone {
			return nil
		}
		if b.Activate && b.Member != 0 && o.member(b.Member) == nil {
			return ErrMemberNotFound
		}
		if b.Activate {
			o.alarms[Alarm{b.Member, b.Kind}] = true
		} else {
			delete(o.alarms, Alarm{b.Member, b.Kind})
		}
	case *MemberAttributesRequest:
		if o.member(b.Member) == nil {
			return ErrMemberNotFound
		}
		o.members[b.Member].name = b.Name
	}
	return nil
}

func (o *oracle) deleteWhere(gone func(string, oracleKey) bool) {
	before := len(o.keys)
	maps.DeleteFunc(o.keys, gone)
	if len(o.keys) < before {
		o.rev++
	}
}

func (o *oracle) configure(members map[uint64]uint64) {
	o.known = true
	for id := range o.members {
		if _, ok := members[id]; !ok {
			delete(o.members, id)
		}
	}
	maps.DeleteFunc(o.alarms, func(a Alarm, _ bool) bool {
		_, ok := members[a.Member]
		return a.Member != 0 && !ok
	})
	for id, bound := range members {
		m := o.members[id]
		if m == nil {
			m = &oracleMember{window: naiveWindow{applied: map[uint64]bool{}}}
			o.members[id] = m
		}
		if bound != 0 && bound != m.window.incarnation {
			m.window = naiveWindow{incarnation: bound, applied: map[uint64]bool{}}
		}
		m.bound = bound
	}
}

// String prints everything a client could see.
func (o *oracle) String() string {
	var b strings.Builder
	fmt.Fprintln(&b, "revision", o.rev, "compacted", o.compacted)
	for _, k := range slices.Sorted(maps.Keys(o.keys)) {
		v := o.keys[k]
		fmt.Fprintln(&b, "key", k, v.value, v.lease, v.mod, v.version)
	}
	for _, id := range slices.Sorted(maps.Keys(o.leases)) {
		var keys []string
		for _, k := range slices.Sorted(maps.Keys(o.keys)) {
			if o.keys[k].lease == id {
				keys = append(keys, k)
			}
		}
		fmt.Fprintln(&b, "lease", id, o.leases[id].ttl, o.leases[id].remaining, keys)
	}
	for _, a := range slices.SortedFunc(maps.Keys(o.alarms), compareAlarms) {
		fmt.Fprintln(&b, "alarm", a.Member, a.Kind)
	}
	shown := slices.Sorted(maps.Keys(o.members))
	if !o.known {
		shown = o.initial
	}
	for _, id := range shown {
		name := ""
		if m := o.members[id]; m != nil {
			name = m.name
		}
		fmt.Fprintln(&b, "member", id, name)
	}
	return b.String()
}

// describe prints a view in the oracle's words.
func describe(v *View) string {
	var b strings.Builder
	fmt.Fprintln(&b, "revision", v.Revision(), "compacted", v.CompactRevision())
	res, err := v.KV.Range(&mvcc.RangeRequest{Key: []byte{0}, End: []byte{0}})
	if err != nil {
		return err.Error()
	}
	for _, kv := range res.KVs {
		fmt.Fprintln(&b, "key", string(kv.Key), string(kv.Value), kv.Lease, kv.ModRevision, kv.Version)
	}
	v.AscendLeases(func(l Lease) bool {
		var keys []string
		for _, k := range v.LeaseKeys(l.ID) {
			keys = append(keys, string(k))
		}
		fmt.Fprintln(&b, "lease", l.ID, l.TTL, l.Remaining, keys)
		return true
	})
	for _, a := range v.Alarms() {
		fmt.Fprintln(&b, "alarm", a.Member, a.Kind)
	}
	for _, m := range v.Members() {
		fmt.Fprintln(&b, "member", m.ID, m.Name)
	}
	return b.String()
}

// reload is what a snapshot does, without the file.
func reload(s *State) (*State, error) {
	e := s.Export()
	l := NewLoader(Options{Store: s.options.Store, Members: s.options.Members})
	for {
		section, record, ok := e.Next(nil)
		if !ok {
			return l.Finish()
		}
		if err := l.Add(section, record); err != nil {
			return nil, fmt.Errorf("%s: %w", section, err)
		}
	}
}

// machine is a rapid state machine: a State, a second one that is now and then
// replaced by a copy loaded from a snapshot of the first, and the oracle.
type machine struct {
	oracle   *oracle
	states   [2]*State
	term     uint64
	bindings map[uint64]uint64
}

func drawBody(t *rapid.T) Body {
	key := func() []byte { return []byte(rapid.SampledFrom([]string{"a", "b", "c", "d"}).Draw(t, "key")) }
	lease := func() int64 { return rapid.Int64Range(1, 4).Draw(t, "lease") }
	member := func() uint64 { return rapid.Uint64Range(0, 4).Draw(t, "member") }
	switch rapid.IntRange(0, 15).Draw(t, "kind") {
	default:
		return &mvcc.PutRequest{Key: key(), Value: []byte(rapid.StringN(0, 2, 8).Draw(t, "value")),
			Lease: rapid.SampledFrom([]int64{0, 0, 1, 2, 3, 4}).Draw(t, "lease")}
	case 1, 2:
		k := key()
		return &mvcc.DeleteRangeRequest{Key: k, End: append([]byte{k[0] + byte(rapid.IntRange(0, 2).Draw(t, "span"))}, 0)}
	case 3, 4:
		return &LeaseGrantRequest{ID: lease(), TTL: rapid.SampledFrom([]int64{1, 60, LeaseTTLMax, LeaseTTLMax + 1}).Draw(t, "ttl")}
	case 5:
		return &LeaseRevokeRequest{ID: lease()}
	case 6:
		return &LeaseRevokeRequest{ID: lease(), Expired: true}
	case 7:
		return &LeaseCheckpointRequest{Checkpoints: []LeaseCheckpoint{{lease(), 5}, {lease(), rapid.Int64Range(0, 1).Draw(t, "remaining")}}}
	case 8:
		return &CompactRequest{Revision: rapid.Int64Range(-1, 40).Draw(t, "rev")}
	case 9:
		return &AlarmRequest{Activate: true, Member: member(), Kind: AlarmKind(rapid.SampledFrom([]int{0, 1, 1, 2}).Draw(t, "alarm"))}
	case 10, 11:
		return &AlarmRequest{Member: member(), Kind: AlarmKind(rapid.IntRange(1, 2).Draw(t, "alarm"))}
	case 12:
		return &MemberAttributesRequest{Member: member(), Name: rapid.StringN(0, 2, 8).Draw(t, "name")}
	}
}

func drawID(t *rapid.T) RequestID {
	return RequestID{
		Member:      rapid.Uint64Range(1, 4).Draw(t, "origin"),
		Incarnation: rapid.SampledFrom([]uint64{7, 7, 7, 8}).Draw(t, "incarnation"),
		Boot:        rapid.SampledFrom([]uint64{1, 1, 1, 2}).Draw(t, "boot"),
		Seq:         rapid.OneOf(rapid.Uint64Range(0, 12), rapid.Just[uint64](WindowSize+5)).Draw(t, "seq"),
	}
}

// entry applies a batch of commands to all.
func (m *machine) entry(t *rapid.T) {
	if rapid.IntRange(0, 9).Draw(t, "newterm") == 0 {
		m.term++
	}
	var batch []Encoded
	var want []string
	m.oracle.index = m.states[0].applied + 1
	for range rapid.IntRange(0, 4).Draw(t, "commands") {
		body := drawBody(t)
		if c, ok := body.(*LeaseCheckpointRequest); ok {
			c.AsOf = m.oracle.index - min(m.oracle.index, rapid.Uint64Range(1, 5).Draw(t, "ago"))
		}
		e := Encoded{ID: drawID(t), Term: rapid.Uint64Range(m.term-1, m.term).Draw(t, "proposed"), Body: AppendBody(nil, body)}
		batch = append(batch, e)
		if err := m.oracle.apply(e.ID, e.Term, m.term, body); e.ID.Seq != 0 {
			want = append(want, fmt.Sprint(e.ID, m.oracle.rev, err))
		}
	}
	data := AppendBatch(nil, batch)
	for i, s := range m.states {
		var got []string
		err := s.Apply(s.applied+1, m.term, data, func(id RequestID, r *Result) {
			got = append(got, fmt.Sprint(id, r.Revision, r.Err))
		})
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(got, want) {
			t.Fatalf("state %d answered\n%q, want\n%q", i, got, want)
		}
	}
}

// configuration applies a random set of members, some bound.
func (m *machine) configuration(t *rapid.T) {
	members := map[uint64]uint64{}
	var config []ConfigMember
	for id := uint64(4); id > 0; id-- {
		if rapid.IntRange(0, 4).Draw(t, "out") == 0 {
			continue
		}
		bound := m.bindings[id]
		if bound == 0 && rapid.IntRange(0, 3).Draw(t, "bind") == 0 {
			bound = rapid.SampledFrom([]uint64{7, 8}).Draw(t, "incarnation")
		}
		members[id] = bound
		config = append(config, ConfigMember{ID: id, Incarnation: bound})
	}
	m.bindings = members
	m.oracle.configure(members)
	for _, s := range m.states {
		if err := s.ApplyConfig(s.applied+1, m.term, Membership{Members: config, Final: true}, nil); err != nil {
			t.Fatal(err)
		}
	}
}

// Random commands, configurations and snapshots: State agrees with the oracle,
// and a copy that was loaded from a snapshot agrees with the original from then
// on, wherever physical compaction is on either.
func TestModel(t *testing.T) { rapid.Check(t, stateModel) }

func FuzzModel(f *testing.F) { fuzz.Model(f, stateModel) }

func stateModel(t *rapid.T) {
	o := Options{Members: []ConfigMember{{ID: 1}, {ID: 2}, {ID: 3}}}
	o.Store.ChunkBytes = 256
	m := &machine{oracle: newOracle(1, 2, 3), states: [2]*State{New(o), New(o)}, term: 3}
	t.Repeat(map[string]func(*rapid.T){
		"entry":         m.entry,
		"another entry": m.entry,
		"configuration": m.configuration,
		"compact": func(t *rapid.T) {
			m.states[rapid.IntRange(0, 1).Draw(t, "which")].CompactStep(rapid.IntRange(1, 20).Draw(t, "keys"))
		},
		"reload": func(t *rapid.T) {
			copied, err := reload(m.states[0])
			if err != nil {
				t.Fatal(err)
			}
			m.states[1] = copied
		},
		"": func(t *rapid.T) {
			want := m.oracle.String()
			for i, s := range m.states {
				if got := describe(s.View()); got != want {
					t.Fatalf("state %d is\n%s, want\n%s", i, got, want)
				}
				s.checkInvariants()
			}
			if a, b := m.states[0].Hash(), m.states[1].Hash(); a != b {
				t.Fatalf("hashes %x and %x at index %d", a, b, m.states[0].applied)
			}
		},
	})
}

// checkInvariants panics if a documented invariant is broken; it walks all.
func (s *State) checkInvariants() {
	for _, row := range s.members.rows {
		row.window.check()
		if row.incarnation != 0 && row.window.incarnation != row.incarnation {
			panic(fmt.Sprintf("member %x is bound to %x, its window to %x", row.ID, row.incarnation, row.window.incarnation))
		}
	}
	fresh := newLeaseTable()
	s.leases.byID.Ascend(func(l Lease) bool { fresh.set(l); return true })
	res, err := s.store.Range(&mvcc.RangeRequest{Key: []byte{0}, End: []byte{0}})
	if err != nil {
		panic(err)
	}
	for _, kv := range res.KVs {
		if kv.Lease != 0 {
			fresh.Attach(kv.Lease, kv.Key)
		}
	}
	if fresh.sum != s.leases.sum || fresh.keys.Len() != s.leases.keys.Len() {
		panic("the lease table isn't what the keys say")
	}
}

// Damaged or reordered exports are refused; nothing panics.
func TestLoaderRefuses(t *testing.T) {
	f := newFixture(t)
	f.must(&LeaseGrantRequest{ID: 7, TTL: 60})
	f.must(&LeaseGrantRequest{ID: 8, TTL: 60})
	f.must(put("k", "v", 7))
	enableAuth(f)
	f.must(&AlarmRequest{Activate: true, Member: 1, Kind: AlarmNoSpace})
	f.must(&AlarmRequest{Activate: true, Member: 2, Kind: AlarmNoSpace})
	records := exported(f.State)
	try := func(list []exportedRecord) error {
		l := NewLoader(Options{})
		for _, r := range list {
			if err := l.Add(r.section, r.record); err != nil {
				return err
			}
		}
		_, err := l.Finish()
		return err
	}
	if err := try(records); err != nil {
		t.Fatal(err)
	}
	for i, r := range records {
		without := slices.Delete(slices.Clone(records), i, i+1)
		if err := try(without); err == nil {
			t.Errorf("record %d (%s %x) missing: accepted", i, r.section, r.record)
		}
		twice := slices.Insert(slices.Clone(records), i, r)
		if err := try(twice); err == nil {
			t.Errorf("record %d (%s %x) twice: accepted", i, r.section, r.record)
		}
		for at := range r.record {
			damaged := slices.Clone(records)
			damaged[i].record = slices.Clone(r.record)
			damaged[i].record[at] ^= 1
			if err := try(damaged); err == nil && !unhashed(r.section, at) {
				t.Errorf("byte %d of record %d (%s %x) flipped: accepted", at, i, r.section, r.record)
			}
		}
	}
	if err := NewLoader(Options{}).Add("meta", nil); !errors.Is(err, ErrMalformed) {
		t.Errorf("empty meta: %v", err)
	}
	l := NewLoader(Options{})
	_ = l.Add(records[0].section, records[0].record)
	if err := l.Add("tokens", nil); !errors.Is(err, ErrUnknownFormat) {
		t.Errorf("unknown section: %v", err)
	}
}

// unhashed: applied index and term aren't in the state hash; the file's header
// and its hashes vouch for them.
func unhashed(section string, at int) bool { return section == sectionMeta && (at == 1 || at == 2) }

type exportedRecord struct {
	section string
	record  []byte
}

func exported(s *State) (list []exportedRecord) {
	e := s.Export()
	for {
		section, record, ok := e.Next(nil)
		if !ok {
			return list
		}
		list = append(list, exportedRecord{section, slices.Clone(record)})
	}
}

// The records of format version 4, byte for byte but for the hashes.
func TestGoldenExport(t *testing.T) {
	f := newFixture(t)
	f.must(&MemberAttributesRequest{Member: 2, Name: "two", ClientURLs: []string{"http://b:1"}})
	f.must(&AlarmRequest{Activate: true, Member: 2, Kind: AlarmCorrupt})
	f.must(&AlarmRequest{Member: 2, Kind: AlarmCorrupt})
	f.must(&LeaseGrantRequest{ID: 7, TTL: 60})
	f.must(&LeaseCheckpointRequest{AsOf: f.applied, Checkpoints: []LeaseCheckpoint{{ID: 7, Remaining: 30}}})
	f.must(put("b", "1", 7))
	f.must(put("a", "2", 0))
	f.must(put("b", "3", 7))
	f.must(&mvcc.DeleteRangeRequest{Key: []byte("a")})
	f.must(&auth.RoleAdd{Name: "r"})
	f.must(grantTo("r", auth.Write, "a", "b"))
	f.must(&auth.UserAdd{Name: "u", NoPassword: true})
	f.must(&auth.UserAdd{Name: "root", Hash: []byte("h")})
	f.must(&auth.UserGrant{User: "root", Role: "root"})
	f.must(&auth.Enable{})
	f.must(&AlarmRequest{Activate: true, Member: 1, Kind: AlarmNoSpace})
	f.members.removed = []uint64{3}
	ring := "feff01" + strings.Repeat("00", 8189) // sequence numbers 1 to 16
	want := []string{
		"meta 04 10 01 06 06 01 HASH",
		"roles 0172 01 0161 0162",
		"users 04726f6f74 00 0168 05 01 04726f6f74",
		"users 0175 01 00 04 00",
		"members 0100000000000000 0000000000000000 00 00 01 08687474703a2f2f61 00",
		"members 0200000000000000 0000000000000000 00 0374776f 01 08687474703a2f2f62 01 0a687474703a2f2f623a31",
		"members 0300000000000000 0000000000000000 02 00 00 00",
		"windows 0100000000000000 1100000000000000 01 10 " + ring,
		"alarms 0100000000000000 01",
		"leases 0e 78 3c 04",
		"kv 0a 01 02 04 HASH HASH",       // revision 5, never compacted, 2 keys, 4 records
		"kv 01 02 00 01 0162 00 0e 0131", // b=1, created at 2
		"kv 00 01 00 01 0161 00 00 0132", // a=2, created at 3
		"kv 01 01 00 02 0162 02 0e 0133", // b=3, version 2
		"kv 00 01 00 00 0161",            // a deleted
	}
	for i, r := range exported(f.State) {
		got := r.section + " " + fmt.Sprintf("%x", r.record)
		line := strings.ReplaceAll(want[i], " ", "")
		n := strings.Index(line, "HASH")
		if n < 0 {
			n = len(line)
		}
		if got := strings.Replace(got, " ", "", 1); len(got) != len(strings.ReplaceAll(line, "HASH", "0123456789abcdef")) || got[:n] != line[:n] {
			t.Errorf("record %d is\n%.200s, want\n%.200s", i, got, line)
		}
	}
}

// Many leases are exported in batches: none is lost at the seams.
func TestExportManyLeases(t *testing.T) {
	for _, n := range []int{1, leaseBatch - 1, leaseBatch, leaseBatch + 1, 3*leaseBatch + 5} {
		f := newFixture(t)
		for i := range n {
			f.leases.set(Lease{ID: int64(i*7 - 500), TTL: int64(i)})
		}
		f.leases.byID.Delete(Lease{ID: 0})
		f.leases = rebuilt(&f.leases)
		copied, err := reload(f.State)
		if err != nil {
			t.Fatalf("%d leases: %v", n, err)
		}
		if got, want := describe(copied.View()), describe(f.View()); got != want {
			t.Errorf("%d leases: copied\n%s, want\n%s", n, got, want)
		}
	}
}

func rebuilt(old *leaseTable) leaseTable {
	fresh := newLeaseTable()
	old.byID.Ascend(func(l Lease) bool { fresh.set(l); return true })
	return fresh
}

func FuzzLoader(f *testing.F) {
	s := newFixture(f)
	s.must(&LeaseGrantRequest{ID: 7, TTL: 60})
	s.must(put("k", "v", 7))
	enableAuth(s)
	for _, r := range exported(s.State) {
		f.Add(uint8(slices.Index([]string{sectionMeta, sectionRoles, sectionUsers, sectionMembers, sectionWindows, sectionAlarms, sectionLeases, sectionKV}, r.section)), r.record)
	}
	first := exported(s.State)
	f.Fuzz(func(t *testing.T, which uint8, record []byte) {
		sections := []string{sectionMeta, sectionRoles, sectionUsers, sectionMembers, sectionWindows, sectionAlarms, sectionLeases, sectionKV}
		section := sections[int(which)%len(sections)]
		l := NewLoader(Options{})
		for _, r := range first { // the record stands in its section's place
			if r.section == section {
				_ = l.Add(section, record)
			}
			if l.Add(r.section, r.record) != nil {
				return
			}
		}
		if loaded, err := l.Finish(); err == nil && loaded.Hash() != s.Hash() {
			t.Fatalf("loaded another state: %s", describe(loaded.View()))
		}
	})
}

package state

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"

	"github.com/holdfast-db/holdfast/mvcc"
)

// The scripts in testdata tell one story each. Their commands:
//
//	entry [term=N]     one entry with a command a line: ORIGIN COMMAND, where
//	                   ORIGIN is member/incarnation/boot/seq, or - for nobody,
//	                   and may end in ^N: proposed in term N
//	config [joint]     a configuration: id[=incarnation][,learner] …, by FROM
//	view               what a client could see
//	windows            the request windows
//	reload             the state becomes what its snapshot loads as
func TestScripts(t *testing.T) {
	datadriven.Walk(t, "testdata/scripts", func(t *testing.T, path string) {
		s := &script{state: New(Options{}), term: 1}
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string { return s.run(t, d) })
	})
}

type script struct {
	state *State
	term  uint64
	out   strings.Builder
}

func (s *script) run(t *testing.T, d *datadriven.TestData) string {
	s.out.Reset()
	switch d.Cmd {
	case "entry":
		s.entry(t, d)
	case "config":
		s.config(t, d)
	case "view":
		s.out.WriteString(describe(s.state.View()))
	case "windows":
		for _, m := range s.state.members.rows {
			fmt.Fprintf(&s.out, "member %d: incarnation %d, boot %d, high %d\n", m.ID, m.window.incarnation, m.window.boot, m.window.high)
		}
	case "reload":
		copied, err := reload(s.state)
		if err != nil {
			t.Fatalf("%s: %v", d.Pos, err)
		}
		s.state = copied
		fmt.Fprintf(&s.out, "at %d@%d\n", copied.applied, copied.term)
	default:
		t.Fatalf("%s: no command %q", d.Pos, d.Cmd)
	}
	return s.out.String()
}

func (s *script) reply(id RequestID, r *Result) {
	fmt.Fprintf(&s.out, "  → %d/%d: ", id.Member, id.Seq)
	switch {
	case r.Err != nil:
		fmt.Fprintf(&s.out, "%v, revision %d\n", r.Err, r.Revision)
	case r.Members != nil:
		fmt.Fprintf(&s.out, "%d members, revision %d\n", len(r.Members), r.Revision)
	default:
		fmt.Fprintf(&s.out, "done, revision %d\n", r.Revision)
	}
}

func (s *script) entry(t *testing.T, d *datadriven.TestData) {
	d.MaybeScanArgs(t, "term", &s.term)
	var batch []Encoded
	for _, line := range lines(d.Input) {
		origin, command, _ := strings.Cut(line, " ")
		e := Encoded{Term: s.term, Body: AppendBody(nil, parseCommand(t, command))}
		if from, term, ok := strings.Cut(origin, "^"); ok {
			origin, e.Term = from, number(t, term)
		}
		if origin != "-" {
			e.ID = parseID(t, origin)
		}
		batch = append(batch, e)
	}
	fmt.Fprintf(&s.out, "entry %d@%d\n", s.state.applied+1, s.term)
	if err := s.state.Apply(s.state.applied+1, s.term, AppendBatch(nil, batch), s.reply); err != nil {
		t.Fatalf("%s: %v", d.Pos, err)
	}
}

func (s *script) config(t *testing.T, d *datadriven.TestData) {
	m := Membership{Final: !d.HasArg("joint")}
	for _, line := range lines(d.Input) {
		if from, ok := strings.CutPrefix(line, "by "); ok {
			m.Context = AppendRequestID(nil, parseID(t, from))
			continue
		}
		name, learner := strings.CutSuffix(line, ",learner")
		id, incarnation, _ := strings.Cut(name, "=")
		c := ConfigMember{ID: number(t, id), Learner: learner}
		if incarnation != "" {
			c.Incarnation = number(t, incarnation)
		}
		m.Members = append(m.Members, c)
	}
	fmt.Fprintf(&s.out, "entry %d@%d\n", s.state.applied+1, s.term)
	if err := s.state.ApplyConfig(s.state.applied+1, s.term, m, s.reply); err != nil {
		t.Fatalf("%s: %v", d.Pos, err)
	}
}

func lines(input string) []string {
	return strings.FieldsFunc(input, func(r rune) bool { return r == '\n' })
}

func number(t *testing.T, s string) uint64 {
	n, err := strconv.ParseUint(s, 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func parseID(t *testing.T, s string) RequestID {
	f := strings.Split(s, "/")
	if len(f) != 4 {
		t.Fatalf("origin %q isn't member/incarnation/boot/seq", s)
	}
	return RequestID{Member: number(t, f[0]), Incarnation: number(t, f[1]), Boot: number(t, f[2]), Seq: number(t, f[3])}
}

func parseCommand(t *testing.T, line string) Body {
	f := strings.Fields(line)
	n := func(i int) int64 { return int64(number(t, f[i])) }
	kinds := map[string]AlarmKind{"nospace": AlarmNoSpace, "corrupt": AlarmCorrupt}
	switch f[0] {
	case "put": // key value [lease]
		p := &mvcc.PutRequest{Key: []byte(f[1]), Value: []byte(f[2])}
		if len(f) > 3 {
			p.Lease = n(3)
		}
		return p
	case "delete":
		return &mvcc.DeleteRangeRequest{Key: []byte(f[1])}
	case "compact":
		return &CompactRequest{Revision: n(1)}
	case "grant": // id ttl
		return &LeaseGrantRequest{ID: n(1), TTL: n(2)}
	case "revoke":
		return &LeaseRevokeRequest{ID: n(1)}
	case "expire":
		return &LeaseRevokeRequest{ID: n(1), Expired: true}
	case "checkpoint": // id remaining, counted with all that is applied
		return &LeaseCheckpointRequest{AsOf: math.MaxUint64, Checkpoints: []LeaseCheckpoint{{ID: n(1), Remaining: n(2)}}}
	case "raise", "disarm": // kind member
		return &AlarmRequest{Activate: f[0] == "raise", Kind: kinds[f[1]], Member: uint64(n(2))}
	case "publish": // member name
		return &MemberAttributesRequest{Member: uint64(n(1)), Name: f[2]}
	}
	t.Fatalf("no command %q", line)
	return nil
}

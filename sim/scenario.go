package sim

import (
	"strings"

	"github.com/holdfast-db/holdfast/raft"
)

// Scenario is a story that a file tells: how the cluster is set up, what is done
// to it, what clients ask, and what must then be true. The language is described
// in scenarios/README.md. Whatever a file says, all checks of the simulator run
// beside it, and it ends as every run does: all is healed, the cluster must
// converge, lose its power, and come back with everything.
type Scenario struct {
	// Seed decides what the file leaves open: timeouts, delays, the fate of what
	// a crash finds un-synced. Nodes is the first size of the cluster
	// (0, with Swarm: drawn from the seed).
	Seed  uint64
	Nodes int
	// Swarm: all settings are drawn from the seed, as for holdfast sim --seed.
	// Without it they are those of production on a quiet network.
	Swarm bool
	// Faults restricts what the settings of a swarm bring with them (Options).
	Faults []string
	// Clients work in the background; without Swarm only then.
	Clients  int
	settings []setting
	steps    []step
}

// setting overrides one field of the plan.
type setting struct {
	at          token
	line        int
	name, value string
}

// step is one line of the story.
type step struct {
	line int
	text string
	at   int64 // µs; -1: at once
	do   deed
}

// deed is what a step does: an Action, or one of scenario_step.go.
type deed interface {
	run(w *World, s *step)
}

// scenarioMax bounds a file, in bytes and in lines.
const scenarioMax = 1 << 20

// ParseScenario reads a scenario. The error is a *ParseError.
func ParseScenario(text string) (*Scenario, error) {
	s := &Scenario{Seed: 1}
	if len(text) > scenarioMax {
		return nil, &ParseError{Line: 1, Column: 1, Text: "a scenario has at most a megabyte"}
	}
	for i, line := range strings.Split(text, "\n") {
		t := splitLine(i+1, line)
		if t.done() {
			continue
		}
		if err := s.line(t, strings.TrimSpace(line)); err != nil {
			return nil, err
		}
	}
	if !s.Swarm && s.Nodes == 0 {
		s.Nodes = 3
	}
	if _, err := s.plan(); err != nil {
		return nil, err
	}
	return s, nil
}

// line reads one line that isn't empty.
func (s *Scenario) line(t *tokens, text string) error {
	if setup, err := s.setup(t); setup || err != nil {
		return err
	}
	st := step{line: t.line, text: text, at: -1}
	if t.take("at") {
		at, ok := parseDecimal(t.peek(), second)
		if !ok {
			return t.want("a time in seconds")
		}
		st.at = at
		t.next()
	}
	do, err := t.deed()
	if err != nil {
		return err
	}
	if !t.done() {
		return t.want("the end of the line")
	}
	if a, ok := do.(*actionDeed); ok {
		a.Action.At = max(st.at, 0)
	}
	st.do = do
	s.steps = append(s.steps, st)
	return nil
}

// setup reads a line of the head; false: it is none.
func (s *Scenario) setup(t *tokens) (bool, error) {
	switch t.peek() {
	case "seed", "nodes", "clients", "swarm", "faults", "set":
	default:
		return false, nil
	}
	if len(s.steps) > 0 {
		return true, t.fail("%s belongs before the first step", t.peek())
	}
	switch t.next() {
	case "seed":
		v, err := t.number()
		s.Seed = uint64(v)
		return true, first(err, t.rest())
	case "nodes":
		v, err := t.numberTo(1, nodesMax, "members")
		s.Nodes = int(v)
		return true, first(err, t.rest())
	case "clients":
		v, err := t.numberTo(0, clientsMax, "clients")
		s.Clients = int(v)
		return true, first(err, t.rest())
	case "swarm":
		s.Swarm = true
		return true, t.rest()
	case "faults":
		before := *t
		s.Faults = strings.Split(t.next(), ",")
		if CheckFaults(s.Faults) != nil {
			return true, before.want("a list of faults, or of groups of them (partition,crash)")
		}
		return true, t.rest()
	default:
		if t.done() {
			return true, t.want("a setting (Raft.ElectionTicks 20)")
		}
		set := setting{at: t.words[0], line: t.line}
		set.name = t.next()
		if set.value = t.next(); set.value == "" {
			return true, t.want("a value")
		}
		s.settings = append(s.settings, set)
		return true, t.rest()
	}
}

// Bounds of what a scenario may start with.
const (
	nodesMax   = 9
	clientsMax = 100
)

func first(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// rest is an error if the line goes on.
func (t *tokens) rest() error {
	if t.done() {
		return nil
	}
	return t.want("the end of the line")
}

func (t *tokens) numberTo(lo, hi int64, what string) (int64, error) {
	before := *t
	v, err := t.number()
	if err == nil && (v < lo || v > hi) {
		return v, before.fail("from %d to %d %s are possible", lo, hi, what)
	}
	return v, err
}

// follow tells the story.
func (w *World) followScenario(s *Scenario) {
	if s.Swarm {
		begin := w.plan.Warmup
		if len(s.steps) > 0 && s.steps[0].at >= 0 {
			begin = min(begin, s.steps[0].at)
		}
		w.runUntil(begin, nil)
	}
	w.enter(PhaseChaos)
	w.faults.running = true
	for i := range s.steps {
		st := &s.steps[i]
		if st.at >= 0 {
			if st.at < w.now {
				w.storyFails(st, "the story is at %s already", secondsText(w.now))
			}
			w.runUntil(st.at, nil)
		}
		st.do.run(w, st)
	}
	if w.faults.running {
		w.perform(Action{Verb: "heal"})
	}
}

// storyFails ends a run in which a scenario's line did not come true.
func (w *World) storyFails(st *step, format string, args ...any) {
	w.fail(Stuck, "scenario", 0, "line %d, %q: "+format, append([]any{st.line, st.text}, args...)...)
}

// Script writes actions as a scenario that does them again: the swarm's settings
// of the seed, and those actions instead of the swarm's.
func Script(o Options, actions []Action) string {
	var b strings.Builder
	b.WriteString("swarm\n")
	b.WriteString("seed " + decimal(int64(o.Seed), 1) + "\n")
	if o.Nodes != 0 {
		b.WriteString("nodes " + decimal(int64(o.Nodes), 1) + "\n")
	}
	if len(o.Faults) > 0 {
		b.WriteString("faults " + strings.Join(o.Faults, ",") + "\n")
	}
	for _, a := range actions {
		b.WriteString(a.String() + "\n")
	}
	return b.String()
}

// binding remembers who a name is.
func (w *World) bind(name string, id raft.NodeID) { w.names[name] = id }

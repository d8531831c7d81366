package torture

import (
	"fmt"
	"io"
	"strings"
	"time"
)

// Class is a verdict.
type Class int

// The verdicts, in the order of what they say about the server under test.
const (
	Passed  Class = iota
	Crashed       // a member ended by itself
	Unsafe        // a promise was broken
	NotBack       // the cluster did not come back after all was mended
)

// String is the verdict as tables show it.
func (c Class) String() string {
	return [...]string{"passed", "a member ended by itself", "a promise was broken", "did not come back"}[c]
}

// ExitCode is what a command exits with, as `holdfast sim` does.
func (c Class) ExitCode() int { return [...]int{0, 10, 11, 12}[c] }

// Round is the outcome of one round.
type Round struct {
	Number     int
	Began      time.Duration // since the start of the run
	Took       time.Duration // load, healing and checks
	Load       time.Duration // of that the load
	Tally      Tally
	Errors     Counts // what was not acknowledged, by the client's error
	Faults     Counts
	Revisions  int64         // how far the round brought the store
	Events     int           // that all watchers saw
	Resumes    int           // of watchers
	Elections  int           // terms in which somebody named a leader
	Terms      uint64        // how far terms went
	LongestGap time.Duration // without an acknowledged write
	Recovery   time.Duration // the slowest, from a killing or pausing mended to the next acknowledged write
	CheckTook  time.Duration
	Checks     []string // what each check said, for the report
	Failures   []string // of checks; empty means that the round passed
}

// Kills counts what the bar counts: whole clusters and leaders.
func (c Counts) Kills() int { return c[killCluster] + c[killLeader] }

// Result is the outcome of all rounds that were run; a failed round is the last.
type Result struct {
	Config  Config
	Rounds  []Round
	Events  []Event
	Samples []Sample
	Took    time.Duration
	Class   Class
	Reason  string // why it did not pass
}

// OK tells that there were rounds and that all passed.
func (r Result) OK() bool { return r.Class == Passed && len(r.Rounds) > 0 }

// Sum adds up the rounds.
func (r Result) Sum() Round {
	sum := Round{Faults: Counts{}, Errors: Counts{}}
	for _, round := range r.Rounds {
		sum.Took += round.Took
		sum.Load += round.Load
		sum.Tally.add(round.Tally)
		sum.Faults.add(round.Faults)
		sum.Errors.add(round.Errors)
		sum.Revisions += round.Revisions
		sum.Events += round.Events
		sum.Resumes += round.Resumes
		sum.Elections += round.Elections
		sum.Terms += round.Terms
		sum.CheckTook += round.CheckTook
		sum.LongestGap = max(sum.LongestGap, round.LongestGap)
		sum.Recovery = max(sum.Recovery, round.Recovery)
	}
	return sum
}

// Status is where a run is.
type Status struct {
	Elapsed      time.Duration
	Round        int
	Phase        string // load, heal, check
	Acknowledged int64
	PerSecond    float64 // acknowledged writes, since the last status
	Faults       Counts
	Elections    int
	Leader       string // "" for none that is known
}

// String is one line.
func (s Status) String() string {
	leader := s.Leader
	if leader == "" {
		leader = "nobody"
	}
	return fmt.Sprintf("%v, round %d (%s): %d writes (%.0f/s), %d faults, %d leader and %d cluster kills, %d elections, %s leads",
		s.Elapsed.Round(time.Second), s.Round, s.Phase, s.Acknowledged, s.PerSecond, s.Faults.Total(),
		s.Faults[killLeader], s.Faults[killCluster], s.Elections, leader)
}

// String is a line for people.
func (r Round) String() string {
	return fmt.Sprintf("round %d: %d acknowledged, %d ambiguous, %d refused; %d faults, %d kills of the leader or all; %d elections; %d revisions; %d events in %d streams; longest gap %v, slowest recovery %v; checked in %v: %s",
		r.Number, r.Tally.OK, r.Tally.Ambiguous, r.Tally.Failed, r.Faults.Total(), r.Faults.Kills(), r.Elections, r.Revisions,
		r.Events, r.Resumes, r.LongestGap.Round(time.Millisecond), r.Recovery.Round(time.Millisecond),
		r.CheckTook.Round(time.Millisecond), r.verdict())
}

func (r Round) verdict() string {
	if len(r.Failures) > 0 {
		return "FAILED: " + strings.Join(r.Failures, "; ")
	}
	return "ok"
}

// Text writes the sums and the verdict, for a terminal.
func (r Result) Text(w io.Writer) {
	s := r.Sum()
	fmt.Fprintf(w, "%d rounds in %v (%v under load): %d acknowledged, %d ambiguous and %d refused operations, %d revisions\n",
		len(r.Rounds), r.Took.Round(time.Second), s.Load.Round(time.Second), s.Tally.OK, s.Tally.Ambiguous, s.Tally.Failed, s.Revisions)
	fmt.Fprintf(w, "%d watch events in %d streams; %d elections; longest gap %v, slowest recovery %v; checks took %v\n",
		s.Events, s.Resumes, s.Elections, s.LongestGap.Round(time.Millisecond), s.Recovery.Round(time.Millisecond), s.CheckTook.Round(time.Millisecond))
	fmt.Fprintf(w, "%d faults, among them %d kills of the leader or of all members:\n", s.Faults.Total(), s.Faults.Kills())
	for _, kind := range s.Faults.kinds() {
		fmt.Fprintf(w, "  %-20s %6d\n", kind, s.Faults[kind])
	}
	if r.OK() {
		fmt.Fprintln(w, "passed: no acknowledged write was lost, histories are linearizable, watchers missed nothing, members agree")
		return
	}
	fmt.Fprintf(w, "%s: %s\n", r.Class, r.Reason)
}

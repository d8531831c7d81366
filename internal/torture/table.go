package torture

import (
	"fmt"
	"io"
	"strings"
	"time"
)

// String is a line for people.
func (r Round) String() string {
	verdict := "ok"
	if len(r.Failures) > 0 {
		verdict = "FAILED: " + strings.Join(r.Failures, "; ")
	}
	return fmt.Sprintf("round %d: %d acknowledged, %d ambiguous, %d refused; %d faults; %d revisions; %d events in %d streams; longest gap %v, slowest recovery %v; checked in %v: %s",
		r.Number, r.Tally.OK, r.Tally.Ambiguous, r.Tally.Failed, r.Faults.total(), r.Revisions, r.Events, r.Resumes,
		r.LongestGap.Round(time.Millisecond), r.Recovery.Round(time.Millisecond), r.CheckTook.Round(time.Millisecond), verdict)
}

// Markdown writes the table of all rounds, with a line of sums.
func (r Result) Markdown(w io.Writer) {
	fmt.Fprintln(w, "| round | acknowledged | ambiguous | refused | kill one | kill leader | kill majority | kill all | pause | revisions | watch events | resumes | longest gap | slowest recovery | verdict |")
	fmt.Fprintln(w, "|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|---|")
	var sum Round
	for _, round := range r.Rounds {
		verdict := "ok"
		if len(round.Failures) > 0 {
			verdict = strings.Join(round.Failures, "; ")
		}
		round.row(w, fmt.Sprint(round.Number), verdict)
		sum.add(round)
	}
	verdict := "**ok**"
	if !r.OK() {
		verdict = "**FAILED**"
	}
	sum.row(w, "all", verdict)
}

func (r Round) row(w io.Writer, name, verdict string) {
	f := r.Faults
	fmt.Fprintf(w, "| %s | %d | %d | %d | %d | %d | %d | %d | %d | %d | %d | %d | %.2f s | %.2f s | %s |\n", name,
		r.Tally.OK, r.Tally.Ambiguous, r.Tally.Failed, f.KillOne, f.KillLeader, f.KillMajority, f.KillAll, f.Pause,
		r.Revisions, r.Events, r.Resumes, r.LongestGap.Seconds(), r.Recovery.Seconds(), verdict)
}

func (r *Round) add(o Round) {
	r.Tally.add(o.Tally)
	r.Faults.KillOne += o.Faults.KillOne
	r.Faults.KillLeader += o.Faults.KillLeader
	r.Faults.KillMajority += o.Faults.KillMajority
	r.Faults.KillAll += o.Faults.KillAll
	r.Faults.Pause += o.Faults.Pause
	r.Revisions += o.Revisions
	r.Events += o.Events
	r.Resumes += o.Resumes
	r.LongestGap = max(r.LongestGap, o.LongestGap)
	r.Recovery = max(r.Recovery, o.Recovery)
}

package linearizability

import (
	"fmt"
	"strings"
)

// Result of a check.
type Result uint8

const (
	// Holds: the history is what a correct store could have produced.
	Holds Result = iota
	// Violated: no correct store could have produced it.
	Violated
	// Unknown: the check could not decide, in time or for want of evidence. It
	// counts as a failure: a check that never finishes would otherwise pass.
	Unknown
)

var resultNames = [...]string{"holds", "violated", "unknown"}

// String names the result.
func (r Result) String() string { return nameOf(resultNames[:], uint8(r)) }

// Verdict is the outcome of one check and, if it does not hold, why.
type Verdict struct {
	// Check is the name: witness, real-time, per-key, window or watch.
	Check  string
	Result Result
	// Reason is a sentence or a few, for people.
	Reason string
	// Operations lists what the reason is about, as indexes into
	// History.Operations; Watch is an index into History.Watches, or -1.
	Operations []int
	Watch      int
	// Key is set if one key is at fault.
	Key string
}

// Failed tells that the verdict is not Holds.
func (v Verdict) Failed() bool { return v.Result != Holds }

// String prints check, result and reason in a line.
func (v Verdict) String() string {
	if !v.Failed() {
		return v.Check + ": holds"
	}
	return fmt.Sprintf("%s: %v: %s", v.Check, v.Result, v.Reason)
}

func holds(check string) Verdict { return Verdict{Check: check, Watch: -1} }

func violated(check string, operations []int, format string, args ...any) Verdict {
	return Verdict{Check: check, Result: Violated, Watch: -1, Operations: operations, Reason: fmt.Sprintf(format, args...)}
}

func unknown(check string, operations []int, format string, args ...any) Verdict {
	v := violated(check, operations, format, args...)
	v.Result = Unknown
	return v
}

// Report holds the verdicts of all checks that were run.
type Report struct {
	Verdicts []Verdict
	// Windows is how many full-state windows were checked, Skipped how many were
	// not because too many clients or ambiguous operations overlapped there.
	Windows, Skipped int
}

// OK tells that every check holds.
func (r *Report) OK() bool { return r.First() == nil }

// First returns the first verdict that failed, or nil. It is the one to look
// at: once the order of the writes is wrong, later checks only repeat it.
func (r *Report) First() *Verdict {
	for i := range r.Verdicts {
		if r.Verdicts[i].Failed() {
			return &r.Verdicts[i]
		}
	}
	return nil
}

// Err returns the failed verdicts as one error, or nil.
func (r *Report) Err() error {
	var lines []string
	for _, v := range r.Verdicts {
		if v.Failed() {
			lines = append(lines, v.String())
		}
	}
	if len(lines) == 0 {
		return nil
	}
	return fmt.Errorf("linearizability: %s", strings.Join(lines, "\n"))
}

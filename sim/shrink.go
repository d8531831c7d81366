package sim

// Shrinker cuts a failing run's script down until every line of it matters: the
// delta debugging of "Simplifying and Isolating Failure-Inducing Input" (Zeller
// and Hildebrandt, 2002), then shorter durations and fewer links. What it finds
// is minimal for single steps: without any one action the failure is gone.
type Shrinker struct {
	// Fails tells whether a script still fails in the same way.
	Fails func(script []Action) bool
	// Runs is how many scripts may be tried.
	Runs int
	// Tried counts them.
	Tried int
	// Progress, if not nil, is told of each smaller script.
	Progress func(script []Action)
}

// Shrink returns the smallest failing script that it found. The given one must
// fail.
func (s *Shrinker) Shrink(script []Action) []Action {
	script = s.fewer(script)
	for {
		next, changed := s.simpler(script)
		if !changed {
			return next
		}
		// A simpler action may make another one superfluous.
		script = s.fewer(next)
	}
}

// try runs a candidate, if there may be one more run.
func (s *Shrinker) try(script []Action) bool {
	if s.Tried >= s.Runs {
		return false
	}
	s.Tried++
	if !s.Fails(script) {
		return false
	}
	if s.Progress != nil {
		s.Progress(script)
	}
	return true
}

// fewer drops actions: halves first, then ever smaller parts, down to single ones.
func (s *Shrinker) fewer(script []Action) []Action {
	for size := (len(script) + 1) / 2; size > 0; {
		dropped := false
		// From the end: what comes last is least likely to have caused anything.
		for end := len(script); end > 0; end = min(end-size, len(script)) {
			from := max(0, end-size)
			if c := without(script, from, end); s.try(c) {
				script, dropped = c, true
			}
		}
		switch {
		case dropped && size == 1:
			size = 1 // once more: what was dropped may have been another one's reason
		case dropped:
			size = min(size, (len(script)+1)/2)
		default:
			size /= 2
		}
		if len(script) == 0 {
			break
		}
	}
	return script
}

func without(script []Action, from, to int) []Action {
	return append(append([]Action{}, script[:from]...), script[to:]...)
}

// simpler makes single actions smaller.
func (s *Shrinker) simpler(script []Action) (_ []Action, changed bool) {
	for i := range script {
		for again := true; again; {
			again = false
			for _, a := range simplerThan(script[i]) {
				c := append([]Action{}, script...)
				c[i] = a
				if s.try(c) {
					script, changed, again = c, true, true
					break
				}
			}
		}
	}
	return script, changed
}

// simplerThan lists what might do as well as an action.
func simplerThan(a Action) (list []Action) {
	vary := func(change func(b *Action)) {
		b := a
		change(&b)
		list = append(list, b)
	}
	if a.For > 2*millisecond {
		vary(func(b *Action) { b.For = rounder(a.For / 2) })
	}
	if a.Micros > 2*millisecond {
		vary(func(b *Action) { b.Micros = rounder(a.Micros / 2) })
	}
	if r := rounder(a.For); r != a.For {
		vary(func(b *Action) { b.For = r })
	}
	for i := range a.Links {
		if len(a.Links) > 1 {
			vary(func(b *Action) { b.Links = append(append([]Link{}, a.Links[:i]...), a.Links[i+1:]...) })
		}
	}
	if a.Peer != (Who{}) && a.Verb == "promote" {
		vary(func(b *Action) { b.Peer = Who{} })
	}
	return list
}

// rounder keeps two digits of a duration: easier to read, and rarely less harmful.
func rounder(µs int64) int64 {
	unit := int64(1)
	for µs/unit >= 100 {
		unit *= 10
	}
	return µs / unit * unit
}

// FailingScript is what was done in a run that failed, so that it can be done
// again: a run that failed in the middle had no end of its faults, and its script
// gets one a little later, or they would end with the last of them.
func (r *Result) FailingScript() []Action {
	for _, a := range r.Script {
		if a.Verb == "heal" {
			return r.Script
		}
	}
	at := r.Virtual
	if r.Failure != nil {
		at = max(at, r.Failure.At) + second/2
	}
	return append(append([]Action{}, r.Script...), Action{At: at, Verb: "heal"})
}

// SameFailure tells whether a run failed as another did: the same check, of the
// same class. Times and values differ once the script does.
func SameFailure(a, b *Failure) bool {
	return a != nil && b != nil && a.Class == b.Class && a.Check == b.Check
}

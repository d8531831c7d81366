package main

import (
	"cmp"
	_ "embed"
	"fmt"
	"io"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"
)

//go:embed known_common.txt
var knownCommon string

//go:embed known_e2e.txt
var knownE2E string

//go:embed known_proxy.txt
var knownProxy string

// knownTexts are the known differences, by suite.
var knownTexts = map[string]string{"common": knownCommon, "e2e": knownE2E}

// difference is a case in which Holdfast does not do what etcd does.
type difference struct {
	pattern *regexp.Regexp
	reason  string
	hits    int
}

// readKnown reads a file of known differences.
func readKnown(text string) (out []*difference, err error) {
	for number, line := range strings.Split(text, "\n") {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		pattern, reason, ok := strings.Cut(line, " # ")
		if !ok || strings.TrimSpace(reason) == "" {
			return nil, fmt.Errorf("known differences, line %d: a pattern, \" # \" and a reason are needed", number+1)
		}
		re, err := regexp.Compile("^(" + strings.TrimSpace(pattern) + ")$")
		if err != nil {
			return nil, fmt.Errorf("known differences, line %d: %w", number+1, err)
		}
		out = append(out, &difference{pattern: re, reason: strings.TrimSpace(reason)})
	}
	return out, nil
}

// result sorts outcomes.
type result struct {
	cases                  []outcome
	passed, skipped        int
	unexplained, explained []outcome
	healed                 []outcome // known differences that passed
	known                  []*difference
}

// judge compares outcomes with what is known; with etcd itself nothing is.
func judge(cases []outcome, known []*difference, explain bool) *result {
	r := &result{cases: cases, known: known}
	if !explain {
		known = nil
	}
	for _, c := range cases {
		d := explainedBy(c, known)
		switch {
		case c.verdict == skipped:
			r.skipped++
		case c.verdict == failed && d != nil:
			d.hits++
			r.explained = append(r.explained, c)
		case c.verdict == failed:
			r.unexplained = append(r.unexplained, c)
		default:
			r.passed++
			if d != nil {
				r.healed = append(r.healed, c)
			}
		}
	}
	return r
}

func explainedBy(c outcome, known []*difference) *difference {
	for _, d := range known {
		if d.pattern.MatchString(c.name) {
			return d
		}
	}
	return nil
}

func (r *result) print(w io.Writer, verbose bool, took time.Duration) {
	if verbose {
		for _, c := range r.cases {
			fmt.Fprintf(w, "%s %s\n", c.verdict, c.name)
		}
	}
	for _, c := range r.cases {
		if c.again {
			fmt.Fprintf(w, "passed at the second try: %s\n", c.name)
		}
	}
	for _, c := range r.unexplained {
		fmt.Fprintf(w, "FAIL %s\n     %s\n", c.name, c.reason)
	}
	for _, d := range r.known {
		if d.hits > 0 {
			fmt.Fprintf(w, "known: %s (%d cases): %s\n", d.pattern, d.hits, d.reason)
		}
	}
	left := r.left()
	for _, reason := range slices.Sorted(maps.Keys(left)) {
		fmt.Fprintf(w, "left out by the suite itself: %s (%d cases: %s)\n", reason, left[reason].cases, strings.Join(left[reason].tests, ", "))
	}
	for _, c := range r.healed {
		fmt.Fprintf(w, "no difference any more: %s\n", c.name)
	}
	judged := r.passed + len(r.explained) + len(r.unexplained)
	fmt.Fprintf(w, "%d cases: %d passed, %d failed (%d of them known), %d skipped; %.1f %% of those that ran, in %s\n",
		len(r.cases), r.passed, len(r.explained)+len(r.unexplained), len(r.explained), r.skipped,
		100*float64(r.passed)/float64(max(judged, 1)), took.Round(time.Second))
}

// leftOut are cases that the suite leaves out for one reason.
type leftOut struct {
	cases int
	tests []string // top-level ones
}

// left are the cases that the suite itself leaves out, by what it says.
func (r *result) left() map[string]*leftOut {
	out := map[string]*leftOut{}
	for _, c := range r.cases {
		if c.verdict != skipped {
			continue
		}
		reason := cmp.Or(c.reason, "no reason given")
		if out[reason] == nil {
			out[reason] = &leftOut{}
		}
		out[reason].cases++
		if test, _, _ := strings.Cut(c.name, "/"); !slices.Contains(out[reason].tests, test) {
			out[reason].tests = append(out[reason].tests, test)
		}
	}
	return out
}

func (r *result) err() error {
	if len(r.unexplained)+len(r.healed) > 0 {
		return fmt.Errorf("%d failures that no known difference explains, %d known differences that passed", len(r.unexplained), len(r.healed))
	}
	return nil
}

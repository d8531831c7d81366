package main

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"time"
)

// A verdict on one case.
type verdict string

const (
	passed  verdict = "PASS"
	failed  verdict = "FAIL"
	skipped verdict = "SKIP"
)

// outcome is how a leaf case ended: one without cases below it.
type outcome struct {
	name    string
	verdict verdict
	reason  string // of a failure: the lines that look like it; why the suite leaves a case out
	again   bool   // it failed the first time
}

// playTwice plays a test again if it failed: the suite's own limits are a few
// seconds for the start of three processes, which a busy machine misses. What
// fails by itself fails twice.
func (s *suite) playTwice(test string) []outcome {
	first := s.play(test)
	if !slices.ContainsFunc(first, isFailure) {
		return first
	}
	second := s.play(test)
	for i := range second {
		second[i].again = second[i].verdict == passed && slices.ContainsFunc(first, func(o outcome) bool {
			return o.name == second[i].name && isFailure(o)
		})
	}
	return second
}

func isFailure(o outcome) bool { return o.verdict == failed }

// play runs one top-level test and returns its leaves.
func (s *suite) play(test string) []outcome {
	ctx, cancel := context.WithTimeout(context.Background(), s.timeout+30*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, s.binary(), "-test.v", "-test.run", "^"+test+"$", "-test.timeout", s.timeout.String(),
		"-bin-dir", s.path("bin"), "-cert-dir", s.path("work", "fixtures"))
	cmd.Dir = s.workDir()
	cmd.Env = os.Environ()
	if s.minimal {
		cmd.Env = append(cmd.Env, "E2E_TEST_MINIMAL=true")
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	out, err := cmd.CombinedOutput()
	cases := leaves(test, string(out), err == nil)
	for _, c := range cases {
		if c.verdict == failed {
			_ = os.WriteFile(s.logPath(test), out, 0o644) // the verdict counts without it
			break
		}
	}
	return cases
}

func (s *suite) logPath(test string) string {
	return s.logs + "/" + test + ".log"
}

var (
	began = regexp.MustCompile(`(?m)^=== RUN\s+(\S+)`)
	ended = regexp.MustCompile(`(?m)^\s*--- (PASS|FAIL|SKIP): (\S+)`)
)

// leaves reads the verbose output of a test. A case that began and never ended
// was cut off: a failure. So is everything if the process failed although no case
// says so.
func leaves(test, out string, ok bool) (cases []outcome) {
	verdicts := map[string]verdict{}
	for _, m := range ended.FindAllStringSubmatch(out, -1) {
		verdicts[m[2]] = verdict(m[1])
	}
	seen := map[string]bool{}
	var names []string
	for _, m := range began.FindAllStringSubmatch(out, -1) {
		if !seen[m[1]] {
			seen[m[1]] = true
			names = append(names, m[1])
		}
	}
	if len(names) == 0 {
		names = []string{test}
	}
	for _, name := range names {
		if hasCases(name, names) {
			continue
		}
		v, known := verdicts[name]
		if !known {
			v = failed
			if ok {
				v = skipped
			}
		}
		c := outcome{name: name, verdict: v}
		switch v {
		case failed:
			c.reason = why(name, out)
		case skipped:
			c.reason = whyLeft(name, out)
		}
		cases = append(cases, c)
	}
	return cases
}

func hasCases(name string, names []string) bool {
	for _, other := range names {
		if strings.HasPrefix(other, name+"/") {
			return true
		}
	}
	return false
}

// said is what a case printed itself.
func said(name, out string) string {
	_, rest, _ := strings.Cut(out, "=== RUN   "+name+"\n")
	if end := began.FindStringIndex(rest); end != nil {
		rest = rest[:end[0]]
	}
	return rest
}

// note is a line that a test prints of itself, with the place; the logger's are
// not among them.
var note = regexp.MustCompile(`(?m)^\s+([a-z0-9_]+)\.go:[0-9]+: (.*)$`)

// whyLeft is the last that a case said before it left itself out.
func whyLeft(name, out string) string {
	reason := ""
	for _, n := range note.FindAllStringSubmatch(said(name, out), -1) {
		if n[1] != "logger" {
			reason = strings.TrimSpace(n[2])
		}
	}
	return reason
}

// why picks what a failed case printed that isn't its own chatter: the first
// lines with an error.
func why(name, out string) string {
	var picked bytes.Buffer
	for line := range strings.Lines(said(name, out)) {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "Error:") || strings.Contains(line, "_test.go:") || strings.HasPrefix(line, "panic:") {
			if picked.Len() > 0 {
				picked.WriteString(" | ")
			}
			picked.WriteString(line)
		}
		if picked.Len() > 300 {
			break
		}
	}
	return picked.String()
}

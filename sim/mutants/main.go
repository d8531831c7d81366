package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// settings are the command's flags.
type settings struct {
	seeds   int
	only    string
	json    bool
	compile bool // see only whether each still does
	limit   time.Duration
	results string
	again   bool
	readme  bool
	sample  time.Duration
	bug     string
	reveal  bool
}

func (s *settings) register(fs *flag.FlagSet) {
	fs.IntVar(&s.seeds, "seeds", 1000, "seeds to try at most")
	fs.StringVar(&s.only, "only", "", "numbers of the mutants to run, comma-separated")
	fs.BoolVar(&s.json, "json", false, "print JSON, one object a line")
	fs.BoolVar(&s.compile, "compile", false, "only see that each mutant compiles")
	fs.DurationVar(&s.limit, "limit", 30*time.Minute, "time for one mutant")
	fs.StringVar(&s.results, "results", "sim/mutants/results.ndjson", "file that keeps the results, relative to the module; what it holds of this code is not judged again (\"\": none)")
	fs.BoolVar(&s.again, "again", false, "judge also what the results hold already")
	fs.BoolVar(&s.readme, "readme", false, "judge nothing; write sim/mutants/README.md from the results")
	fs.DurationVar(&s.sample, "sample", 0, "judge a sample that changes from day to day, for about so long; results are read, not written")
	fs.StringVar(&s.bug, "bug", "", "for learners: run the simulator with this mistake built in until it notices (list: what there is)")
	fs.BoolVar(&s.reveal, "reveal", false, "with -bug: show the change instead")
}

func main() {
	var s settings
	s.register(flag.CommandLine)
	flag.Parse()
	err := s.run(os.Stdout)
	var exit *exec.ExitError
	if errors.As(err, &exit) && s.bug != "" {
		os.Exit(exit.ExitCode()) // it has said why
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "mutants:", err)
		os.Exit(1)
	}
}

func (s *settings) run(w io.Writer) error {
	root, err := moduleRoot()
	if err != nil {
		return err
	}
	name := s.results
	if name != "" && !filepath.IsAbs(name) {
		name = filepath.Join(root, name)
	}
	known, err := readResults(name)
	if err != nil {
		return err
	}
	switch {
	case s.bug != "":
		b := lesson{root: root, seeds: s.seeds, known: known, out: w}
		return b.run(s.bug, s.reveal)
	case s.readme:
		return os.WriteFile(filepath.Join(root, "sim", "mutants", "README.md"), readme(mutants, known), 0o644)
	}
	code, err := codeHash(root)
	if err != nil {
		return err
	}
	h := hunter{root: root, code: code, seeds: s.seeds, limit: s.limit, compile: s.compile}
	if s.sample > 0 {
		return h.sample(w, known, int(time.Now().Unix()/(24*3600)), s.sample)
	}
	return s.campaign(w, &h, known)
}

// campaign judges the chosen mutants, one at a time. A mutant that can't be
// judged doesn't keep the others from it.
func (s *settings) campaign(w io.Writer, h *hunter, known *results) error {
	list, err := choose(mutants, s.only)
	if err != nil {
		return err
	}
	if !s.json && !s.compile {
		heading(w)
	}
	var outcomes []outcome
	var errs []error
	for i := range list {
		o, err := s.judge(h, &list[i], known)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		if s.compile {
			continue
		}
		row(w, &o, s.json)
		if outcomes = append(outcomes, o); o.survived() {
			errs = append(errs, fmt.Errorf("mutant %s (%s) survived %d seeds", o.Mutant, o.Name, o.Seeds))
		}
	}
	if s.compile {
		return errors.Join(errs...)
	}
	if !s.json {
		summary(w, outcomes)
	}
	return errors.Join(append(errs, known.tidy(mutants))...)
}

// judge takes a result that is known, or finds it out and keeps it.
func (s *settings) judge(h *hunter, m *mutant, known *results) (outcome, error) {
	if o, ok := known.known(m, h.code, h.seeds); ok && !s.again && !h.compile {
		return o, nil
	}
	o, err := h.hunt(m)
	if err == nil && !h.compile {
		err = known.add(o)
	}
	return o, err
}

func moduleRoot() (string, error) {
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}").Output()
	if err != nil {
		return "", fmt.Errorf("run it inside the module: %w", err)
	}
	return strings.TrimSpace(string(out)), nil
}

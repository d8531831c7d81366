package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"time"
)

// settings are the command's flags.
type settings struct {
	seeds  int
	only   string
	sample string
	json   bool
	// compile: see only whether each still does.
	compile bool
	limit   time.Duration
}

func (s *settings) register(fs *flag.FlagSet, prefix string) {
	fs.IntVar(&s.seeds, prefix+"seeds", 1000, "seeds to try at most")
	fs.StringVar(&s.only, prefix+"only", "", "numbers of the mutants to run, comma-separated")
	fs.StringVar(&s.sample, prefix+"sample", "1/1", "K/N: every N-th mutant, from the K-th on")
	fs.BoolVar(&s.json, prefix+"json", false, "print JSON")
	fs.BoolVar(&s.compile, prefix+"compile", false, "only see that each mutant compiles")
	fs.DurationVar(&s.limit, prefix+"limit", 15*time.Minute, "time for one mutant")
}

func main() {
	var s settings
	s.register(flag.CommandLine, "")
	flag.Parse()
	if err := s.run(os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "mutants:", err)
		os.Exit(1)
	}
}

// run judges the chosen mutants, one at a time. A mutant that can't be judged
// doesn't keep the others from it.
func (s *settings) run(w io.Writer) error {
	root, err := moduleRoot()
	if err != nil {
		return err
	}
	list, err := s.chosen()
	if err != nil {
		return err
	}
	plain := !s.json && !s.compile
	if plain {
		heading(w)
	}
	h := hunter{root: root, seeds: s.seeds, limit: s.limit, compile: s.compile}
	var outcomes []outcome
	var errs []error
	for i := range list {
		o, err := h.hunt(&list[i])
		if err != nil {
			errs = append(errs, err)
			continue
		}
		if s.compile {
			continue
		}
		row(w, &o, s.json)
		if outcomes = append(outcomes, o); o.survived() {
			errs = append(errs, fmt.Errorf("mutant %s (%s) survived", o.Mutant, o.Name))
		}
	}
	if plain {
		summary(w, outcomes)
	}
	return errors.Join(errs...)
}

func (s *settings) chosen() ([]mutant, error) {
	var first, every int
	if _, err := fmt.Sscanf(s.sample, "%d/%d", &first, &every); err != nil || every < 1 {
		return nil, fmt.Errorf("-sample wants K/N, not %q", s.sample)
	}
	list := choose(mutants, s.only, first-1+every, every)
	if len(list) == 0 {
		return nil, fmt.Errorf("no mutant is called %q", s.only)
	}
	return list, nil
}

func moduleRoot() (string, error) {
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}").Output()
	if err != nil {
		return "", fmt.Errorf("run it inside the module: %w", err)
	}
	return strings.TrimSpace(string(out)), nil
}

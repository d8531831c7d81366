package main

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// outcome is one row of the table.
type outcome struct {
	Mutant string `json:"mutant"`
	Name   string `json:"name"`
	// KilledBy is the check or test that failed; empty: survived.
	KilledBy string `json:"killed_by,omitempty"`
	// Verdict of the run that failed: crashed, unsafe, stuck, endless or test.
	Verdict string `json:"verdict,omitempty"`
	// Seeds needed, or tried in vain.
	Seeds    int     `json:"seeds,omitempty"`
	Seconds  float64 `json:"seconds"`
	Harmless string  `json:"harmless,omitempty"`
	Waits    string  `json:"waits_for,omitempty"`
	// Faults are the only ones that happened, if not all did.
	Faults string `json:"faults,omitempty"`
	// Change and Code identify the mutant's edits and the code that they were
	// made in.
	Change string `json:"change,omitempty"`
	Code   string `json:"code,omitempty"`
}

func (o *outcome) survived() bool { return o.KilledBy == "" && !o.unjudged() }

// unjudged rows are not run.
func (o *outcome) unjudged() bool { return o.Harmless != "" || o.Waits != "" }

// results is a file of outcomes, one JSON object a line; of several for one
// mutant the last one counts. So a campaign that was ended goes on where it was.
type results struct {
	name string
	rows map[string]outcome
}

// readResults reads a file that need not exist; without a name nothing is kept.
func readResults(name string) (*results, error) {
	r := &results{name: name, rows: map[string]outcome{}}
	if name == "" {
		return r, nil
	}
	b, err := os.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return r, nil
	}
	if err != nil {
		return nil, err
	}
	lines := bufio.NewScanner(bytes.NewReader(b))
	for n := 1; lines.Scan(); n++ {
		var o outcome
		if err := json.Unmarshal(lines.Bytes(), &o); err != nil {
			return nil, fmt.Errorf("%s:%d: not a result: %w", name, n, err)
		}
		r.rows[o.Mutant] = o
	}
	return r, lines.Err()
}

// known returns a result that need not be had again: of the same change in the
// same code, and with at least as many seeds if the mutant survived.
func (r *results) known(m *mutant, code string, seeds int) (outcome, bool) {
	o, ok := r.rows[m.id]
	ok = ok && o.Change == m.print() && o.Code == code && (o.KilledBy != "" || o.Seeds >= seeds)
	return o, ok
}

// add appends one outcome to the file.
func (r *results) add(o outcome) error {
	r.rows[o.Mutant] = o
	if r.name == "" {
		return nil
	}
	f, err := os.OpenFile(r.name, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	return errors.Join(json.NewEncoder(f).Encode(o), f.Close())
}

// tidy writes the file anew: one line for each mutant of the list, in its order.
func (r *results) tidy(list []mutant) error {
	if r.name == "" {
		return nil
	}
	var b bytes.Buffer
	for _, o := range r.inOrder(list) {
		if err := json.NewEncoder(&b).Encode(o); err != nil {
			return err
		}
	}
	return os.WriteFile(r.name, b.Bytes(), 0o644)
}

// inOrder lists what is known of the mutants as they stand now.
func (r *results) inOrder(list []mutant) (rows []outcome) {
	for i := range list {
		m := &list[i]
		if o, ok := r.rows[m.id]; ok && o.Change == m.print() {
			rows = append(rows, o)
		}
	}
	return rows
}

// codeHash identifies all that a mutant is built from.
func codeHash(root string) (string, error) {
	h := sha256.New()
	err := filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		base := d.Name()
		switch {
		case d.IsDir() && name != root && (strings.HasPrefix(base, ".") || base == "testdata" || base == "mutants" || base == "bin"):
			return filepath.SkipDir
		case d.IsDir(), strings.HasSuffix(base, "_test.go"), !strings.HasSuffix(base, ".go") && base != "go.mod":
			return nil
		}
		b, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		relative, err := filepath.Rel(root, name)
		fmt.Fprintf(h, "%q %d\n%s", filepath.ToSlash(relative), len(b), b)
		return err
	})
	return fmt.Sprintf("%x", h.Sum(nil)[:6]), err
}

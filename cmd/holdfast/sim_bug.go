package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
)

const modulePath = "github.com/holdfast-db/holdfast"

// simBug is `holdfast sim --bug`: Holdfast with a known mistake built in, for
// people who want to find it. The mistakes are changes of the sources
// (sim/mutants), so a checkout and Go are needed.
type simBug struct {
	name   string
	reveal bool
}

// addSimBug gives the command its flags for bugs.
func addSimBug(c *cobra.Command) {
	b := &simBug{}
	c.Flags().StringVar(&b.name, "bug", "", "build Holdfast with this known bug in it and simulate until it shows (list: which there are); needs a checkout and Go")
	c.Flags().BoolVar(&b.reveal, "reveal", false, "with --bug: show the bug instead")
	plain := c.RunE
	c.RunE = func(c *cobra.Command, args []string) error {
		switch {
		case b.name != "":
			return b.run(c)
		case b.reveal:
			return exitWith(exitUsage, errors.New("--reveal shows the bug that --bug names"))
		}
		return plain(c, args)
	}
}

// run builds the tool that knows the bugs, from the checkout that it is to
// change, and hands over to it.
func (b *simBug) run(c *cobra.Command) error {
	root, err := checkout()
	if err != nil {
		return exitWith(exitUsage, err)
	}
	if _, err := exec.LookPath("go"); err != nil {
		return exitWith(exitUsage, fmt.Errorf("--bug builds Holdfast with a bug in it: %w; get Go from https://go.dev/dl", err))
	}
	dir, err := os.MkdirTemp("", "holdfast-bugs-")
	if err != nil {
		return exitWith(exitNo, err)
	}
	defer os.RemoveAll(dir)
	tool := filepath.Join(dir, "mutants")
	build := exec.CommandContext(c.Context(), "go", "build", "-o", tool, "./sim/mutants")
	build.Dir, build.Stderr = root, c.ErrOrStderr()
	if err := build.Run(); err != nil {
		return exitWith(exitNo, fmt.Errorf("building sim/mutants in %s: %w", root, err))
	}
	args := []string{"-bug", b.name, fmt.Sprintf("-reveal=%v", b.reveal)}
	play := exec.CommandContext(c.Context(), tool, args...)
	play.Dir, play.Stdout, play.Stderr = root, c.OutOrStdout(), c.ErrOrStderr()
	return bugVerdict(b.name, play.Run())
}

// bugVerdict passes the code of the broken simulator on.
func bugVerdict(name string, err error) error {
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return exitWith(exit.ExitCode(), fmt.Errorf("bug %s: %w", name, err))
	}
	return err
}

// checkout finds the sources of Holdfast: the module around the working
// directory.
func checkout() (string, error) {
	start, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for dir := start; ; dir = filepath.Dir(dir) {
		b, err := os.ReadFile(filepath.Join(dir, "go.mod"))
		if first, _, _ := strings.Cut(string(b), "\n"); err == nil && strings.TrimSpace(first) == "module "+modulePath {
			return dir, nil
		}
		if dir == filepath.Dir(dir) {
			return "", fmt.Errorf("--bug changes the sources before it builds them: run it inside a checkout of %s (%s is none)", modulePath, start)
		}
	}
}

package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"time"
)

// options are the command line's.
type options struct {
	suite   string        // common or e2e
	dir     string        // where binaries and the suite's working folder are
	run     string        // top-level tests to run
	minimal bool          // the suite's own smaller matrix
	etcd    bool          // judge etcd itself
	proxy   bool          // clients reach each member through a grpc-proxy
	timeout time.Duration // of one top-level test
	verbose bool
	logs    string // where the output of failed tests is kept
}

func main() {
	var o options
	flag.StringVar(&o.suite, "suite", "common", "common: what clients see; e2e: the process and its tools")
	flag.StringVar(&o.dir, "dir", "", "directory for what is built (default: ../../bin/conformance)")
	flag.StringVar(&o.run, "run", ".", "top-level tests to run, a regular expression")
	flag.BoolVar(&o.minimal, "minimal", false, "the suite's smaller matrix: no TLS on one member, TLS on three")
	flag.BoolVar(&o.etcd, "etcd", false, "run etcd itself instead of Holdfast")
	flag.BoolVar(&o.proxy, "proxy", false, "put a grpc-proxy before each member (the suite's tag cluster_proxy)")
	flag.DurationVar(&o.timeout, "timeout", 5*time.Minute, "time for one top-level test")
	flag.BoolVar(&o.verbose, "v", false, "print each case")
	flag.StringVar(&o.logs, "logs", "", "directory for the output of failed tests (default: DIR/logs)")
	flag.Parse()
	if err := conform(o); err != nil {
		fmt.Fprintln(os.Stderr, "conformance:", err)
		os.Exit(1)
	}
}

func conform(o options) error {
	pattern, err := regexp.Compile(o.run)
	if err != nil {
		return fmt.Errorf("-run: %w", err)
	}
	text, ok := knownTexts[o.suite]
	if !ok {
		return fmt.Errorf("-suite must be common or e2e (set to %q)", o.suite)
	}
	if o.proxy {
		text += "\n" + knownProxy
	}
	known, err := readKnown(text)
	if err != nil {
		return err
	}
	if o.dir == "" {
		o.dir = "../../bin/conformance"
	}
	if o.dir, err = filepath.Abs(o.dir); err != nil {
		return err
	}
	if o.logs == "" {
		o.logs = filepath.Join(o.dir, "logs")
	}
	s := &suite{options: o}
	if err := s.build(); err != nil {
		return err
	}
	tests, err := s.list(pattern)
	if err != nil {
		return err
	}
	if len(tests) == 0 {
		return errors.New("-run names no test of the suite")
	}
	began := time.Now()
	var cases []outcome
	for i, test := range tests {
		fmt.Printf("\r\x1b[K%d/%d %s", i+1, len(tests), test)
		cases = append(cases, s.playTwice(test)...)
	}
	fmt.Print("\r\x1b[K")
	r := judge(cases, known, !o.etcd)
	r.print(os.Stdout, o.verbose, time.Since(began))
	return r.err()
}

// Command compare measures Holdfast against etcd with etcd's own load tool.
//
// Each round starts a fresh cluster of three members of one server on loopback (fsync on), runs every case against
// its leader, stops it, and does the same with the other server; the order changes from round to round, so that
// what the machine does beside it hits both. The report gives the median over the rounds of each figure and the
// ratio of the medians. CPU is utime+stime of all three members by the number of requests, and does not count the
// load tool, which runs on the same machine and takes its share of the cores.
//
//	go run ./bench/compare                  three rounds, all cases: a table on stdout, figures in bin/compare.json
//	go run ./bench/compare -cases put -rounds 1
//	HOLDFAST_BIN=bin/etcd go run ./bench/compare    etcd against itself: how far apart noise alone drives the ratios
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"syscall"

	"github.com/holdfast-db/holdfast/internal/proc"
)

func main() {
	rounds := flag.Int("rounds", 3, "rounds; the median over them is reported")
	members := flag.Int("members", 3, "members of each cluster")
	only := flag.String("cases", "", "run only cases whose name matches this regular expression")
	scale := flag.Float64("scale", 1, "multiply the number of requests of every case")
	out := flag.String("json", "bin/compare.json", "where the figures of every run go")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *rounds, *members, *only, *scale, *out); err != nil {
		fmt.Fprintln(os.Stderr, "compare:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, rounds, members int, only string, scale float64, out string) error {
	match, err := regexp.Compile(only)
	if err != nil {
		return fmt.Errorf("-cases: %w", err)
	}
	dir, err := os.MkdirTemp("", "holdfast-compare-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	b := &bench{dir: dir, members: members}
	if err := b.build(ctx); err != nil {
		return err
	}
	report := report{Machine: describeMachine(dir), Rounds: rounds, Members: members}
	for round := range rounds {
		for i := range servers {
			server := servers[(i+round)%len(servers)]
			samples, err := b.measure(ctx, server, selected(match, scale), round)
			if err != nil {
				return err
			}
			report.Samples = append(report.Samples, samples...)
		}
	}
	report.Markdown(os.Stdout)
	return report.writeJSON(out)
}

func (r report) writeJSON(path string) error {
	root, err := proc.Root()
	if err != nil {
		return err
	}
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	if !filepath.IsAbs(path) {
		path = filepath.Join(root, path)
	}
	return os.WriteFile(path, append(text, '\n'), 0o644)
}

package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/holdfast-db/holdfast/internal/proc"
)

// bench holds what all runs share.
type bench struct {
	dir      string
	members  int
	tool     string
	binaries map[string]string
}

// sample is the outcome of one case on one server in one round.
type sample struct {
	Server    string        `json:"server"`
	Case      string        `json:"case"`
	Round     int           `json:"round"`
	Requests  int           `json:"requests"`
	PerSecond float64       `json:"per_second"`
	P50       time.Duration `json:"p50_ns"`
	P99       time.Duration `json:"p99_ns"`
	CPUPerOp  time.Duration `json:"cpu_per_op_ns"` // of all members
	RSSBytes  int64         `json:"rss_bytes"`     // of all members, after the case
}

func (b *bench) build(ctx context.Context) error {
	b.binaries = map[string]string{}
	var err error
	if b.binaries["holdfast"], err = proc.ServerUnderTest(ctx, b.dir); err != nil {
		return err
	}
	if b.binaries["etcd"], err = proc.Peer(ctx, "etcd"); err != nil {
		return err
	}
	b.tool, err = proc.Peer(ctx, "benchmark")
	return err
}

// measure runs the cases against a fresh cluster.
func (b *bench) measure(ctx context.Context, server string, cases []testCase, round int) ([]sample, error) {
	dir := filepath.Join(b.dir, fmt.Sprintf("%s-%d", server, round))
	if err := os.Mkdir(dir, 0o700); err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir) // the disk is shared with the next run
	start, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	cluster, err := proc.Start(start, proc.Options{Binary: b.binaries[server], Members: b.members, Dir: dir})
	if err != nil {
		return nil, err
	}
	defer cluster.KillAll()
	leader, err := prepare(ctx, cluster)
	if err != nil {
		return nil, err
	}
	var samples []sample
	for _, c := range cases {
		s, err := b.runCase(ctx, cluster, leader, c)
		if err != nil {
			return nil, fmt.Errorf("%s, %s: %w\n%s", server, c.Name, err, cluster.LogTails(5))
		}
		s.Server, s.Round = server, round
		fmt.Fprintf(os.Stderr, "round %d %-9s %-34s %9.0f/s p50 %8v p99 %8v cpu %7v/op\n",
			round+1, server, c.Name, s.PerSecond, s.P50.Round(10*time.Microsecond), s.P99.Round(10*time.Microsecond), s.CPUPerOp.Round(100*time.Nanosecond))
		samples = append(samples, s)
	}
	return samples, nil
}

// prepare puts the key that is read and returns the leader's endpoint.
func prepare(ctx context.Context, cluster *proc.Cluster) (endpoint string, err error) {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	client, err := clientv3.New(clientv3.Config{Endpoints: cluster.Endpoints()})
	if err != nil {
		return "", err
	}
	defer client.Close()
	if _, err := client.Put(ctx, readKey, strings.Repeat("v", 256)); err != nil {
		return "", err
	}
	for _, url := range cluster.Endpoints() {
		status, err := client.Status(ctx, url)
		if err != nil {
			return "", err
		}
		if status.Leader == status.Header.MemberId {
			return strings.TrimPrefix(url, "http://"), nil
		}
	}
	return "", fmt.Errorf("no member says that it leads")
}

func (b *bench) runCase(ctx context.Context, cluster *proc.Cluster, leader string, c testCase) (sample, error) {
	before, err := cluster.CPU()
	if err != nil {
		return sample{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, b.tool, c.command(leader)...)
	var out, problems bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &problems
	if err := cmd.Run(); err != nil {
		return sample{}, fmt.Errorf("%w\n%s", err, tail(problems.String(), 10))
	}
	after, err := cluster.CPU()
	if err != nil {
		return sample{}, err
	}
	s, err := parse(out.String())
	if err != nil {
		return sample{}, err
	}
	s.Case, s.Requests = c.Name, c.Total
	s.CPUPerOp = (after - before) / time.Duration(c.Total)
	for _, m := range cluster.Members {
		u, err := m.Usage()
		if err != nil {
			return sample{}, err
		}
		s.RSSBytes += u.RSSBytes
	}
	return s, nil
}

func tail(s string, n int) string {
	lines := strings.Split(strings.TrimRight(s, "\n"), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}

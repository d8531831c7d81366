package proc

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// clockTicks is the unit of utime and stime in /proc/PID/stat. Linux reports them in USER_HZ, which is 100 on every
// architecture that Go runs on.
const clockTicks = 100

// Usage is what a process has taken of the machine so far.
type Usage struct {
	CPU      time.Duration // user and system time of all threads
	RSSBytes int64         // resident now
	RSSPeak  int64         // most that was ever resident, in bytes
}

// Usage reads the member's figures from /proc, so it works on Linux only.
func (m *Member) Usage() (Usage, error) {
	pid := m.Pid()
	if pid == 0 {
		return Usage{}, fmt.Errorf("%w: %s", ErrNotRunning, m.Name)
	}
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return Usage{}, fmt.Errorf("proc: usage of %s: %w", m.Name, err)
	}
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return Usage{}, fmt.Errorf("proc: usage of %s: %w", m.Name, err)
	}
	cpu, err := parseStat(stat)
	if err != nil {
		return Usage{}, err
	}
	u := Usage{CPU: cpu}
	if u.RSSBytes, err = parseStatus(status, "VmRSS"); err != nil {
		return Usage{}, err
	}
	u.RSSPeak, err = parseStatus(status, "VmHWM")
	return u, err
}

// CPU is the sum of the CPU time of all members that run.
func (c *Cluster) CPU() (time.Duration, error) {
	var sum time.Duration
	for _, m := range c.Members {
		u, err := m.Usage()
		if err != nil {
			return 0, err
		}
		sum += u.CPU
	}
	return sum, nil
}

// parseStat takes utime and stime, fields 14 and 15 of proc(5). The second field is the command's name in
// parentheses and may itself hold blanks and parentheses, so counting starts behind the last one.
func parseStat(b []byte) (time.Duration, error) {
	fields := strings.Fields(string(b[bytes.LastIndexByte(b, ')')+1:]))
	if len(fields) < 13 {
		return 0, fmt.Errorf("proc: /proc stat has %d fields after the name", len(fields))
	}
	user, err := strconv.ParseInt(fields[11], 10, 64)
	if err != nil {
		return 0, fmt.Errorf("proc: utime: %w", err)
	}
	system, err := strconv.ParseInt(fields[12], 10, 64)
	if err != nil {
		return 0, fmt.Errorf("proc: stime: %w", err)
	}
	return time.Duration(user+system) * time.Second / clockTicks, nil
}

// parseStatus takes one "Name:   123 kB" line and returns bytes.
func parseStatus(b []byte, name string) (int64, error) {
	for line := range strings.Lines(string(b)) {
		rest, ok := strings.CutPrefix(line, name+":")
		if !ok {
			continue
		}
		kib, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 10, 64)
		if err != nil {
			return 0, fmt.Errorf("proc: %s: %w", name, err)
		}
		return kib << 10, nil
	}
	return 0, fmt.Errorf("proc: /proc status has no %s", name)
}

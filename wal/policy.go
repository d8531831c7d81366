package wal

import (
	"fmt"
	"strings"
	"time"
)

// SyncMode is when a batch is synced.
type SyncMode uint8

const (
	// SyncGroup syncs each batch; whatever gathered during the last sync is
	// the next batch. The default.
	SyncGroup SyncMode = iota
	// SyncAlways syncs each proposal by itself: the caller makes batches of one.
	SyncAlways
	// SyncInterval is SyncGroup that waits a little for more to gather.
	SyncInterval
	// SyncNone syncs only terms and votes. A power loss loses acknowledged
	// entries. For one member and for benchmarks.
	SyncNone
)

// Policy says how batches are formed and synced. The first three modes lose
// nothing; they differ in who waits for whom. The log itself treats them
// alike: it writes and syncs what it is given. The caller forms the batches:
// at most BatchWrites persistence requests, after waiting at most Interval.
type Policy struct {
	Mode SyncMode
	// Interval is how long SyncInterval may wait for more; else 0.
	Interval time.Duration
}

// intervalMax keeps a typing error from stalling every client.
const intervalMax = time.Second

// ParsePolicy reads "always", "group", "interval=2ms" or "none".
func ParsePolicy(s string) (Policy, error) {
	switch name, arg, has := strings.Cut(s, "="); {
	case s == "group" || s == "":
		return Policy{}, nil
	case s == "always":
		return Policy{Mode: SyncAlways}, nil
	case s == "none":
		return Policy{Mode: SyncNone}, nil
	case name == "interval" && has:
		d, err := time.ParseDuration(arg)
		if err != nil || d <= 0 || d > intervalMax {
			return Policy{}, fmt.Errorf("wal: sync interval %q: want a duration above 0, at most %v", arg, intervalMax)
		}
		return Policy{Mode: SyncInterval, Interval: d}, nil
	}
	return Policy{}, fmt.Errorf("wal: unknown sync policy %q: want always, group, interval=DURATION or none", s)
}

// String is the inverse of ParsePolicy.
func (p Policy) String() string {
	switch p.Mode {
	case SyncAlways:
		return "always"
	case SyncInterval:
		return "interval=" + p.Interval.String()
	case SyncNone:
		return "none"
	}
	return "group"
}

// Safe reports whether an acknowledged entry survives a power loss.
func (p Policy) Safe() bool { return p.Mode != SyncNone }

// OneByOne reports whether each proposal must get a batch of its own.
func (p Policy) OneByOne() bool { return p.Mode == SyncAlways }

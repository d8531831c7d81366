package server

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/holdfast-db/holdfast/mvcc"
	"github.com/holdfast-db/holdfast/raft"
	"github.com/holdfast-db/holdfast/server/state"
)

// Auto-compaction, by etcd's rules. Every member keeps the record that its rule
// needs, so that a new leader can go on at once; only the leader compacts.

const (
	// revisionPause is the time between compactions by number of revisions.
	revisionPause = 5 * time.Minute
	// periodicPauseMax bounds the time between compactions by age.
	periodicPauseMax = time.Hour
	// periodicLooks are taken at the revision in that time, so a compaction is at
	// most a tenth of it late, and a failed one is tried again so soon.
	periodicLooks = 10
)

// compactor decides when to compact at which revision; it has no clock.
type compactor struct {
	// keep revisions, or else those of the last so many looks.
	keep, looks int64
	look        time.Duration // between two looks
	pause       time.Duration // between two compactions
	seen        []int64       // revisions at the last looks, oldest first
	since       time.Time     // of the last compaction, or the start
	last        int64         // where that was
}

// newCompactor reads --auto-compaction-mode and -retention; nil: there is none.
// A retention without a unit counts hours, or revisions.
func newCompactor(mode, retention string, now time.Time) (*compactor, error) {
	if mode != "periodic" && mode != "revision" {
		return nil, fmt.Errorf("--auto-compaction-mode must be periodic or revision (set to %q)", mode)
	}
	count, err := strconv.ParseInt(retention, 10, 32)
	period := time.Duration(count) * time.Hour
	if err != nil || count < 0 {
		period, err = time.ParseDuration(retention)
		count = int64(period) // as etcd takes it; no number is meant
	}
	switch {
	case err != nil:
		return nil, fmt.Errorf("--auto-compaction-retention: error parsing CompactionRetention: %w", err)
	case count == 0:
		return nil, nil
	case count < 0:
		return nil, fmt.Errorf("--auto-compaction-retention must not be negative (set to %s)", retention)
	case mode == "revision":
		return &compactor{keep: count, look: revisionPause, pause: revisionPause, since: now}, nil
	}
	pause := min(period, periodicPauseMax)
	look := max(pause/periodicLooks, time.Millisecond)
	return &compactor{looks: max(int64(period/look), 1), look: look, pause: pause, since: now}, nil
}

// due takes a look at the revision. If it is time to compact it says where; done
// must then be called if that was done.
func (c *compactor) due(now time.Time, revision int64) (at int64, ok bool) {
	if c.keep > 0 {
		at = revision - c.keep
		return at, at > 0 && at != c.last
	}
	c.seen = append(c.seen, revision)
	if over := len(c.seen) - int(c.looks) - 1; over > 0 {
		c.seen = slices.Delete(c.seen, 0, over)
	}
	at = c.seen[0]
	return at, int64(len(c.seen)) > c.looks && now.Sub(c.since) >= c.pause && at != c.last
}

func (c *compactor) done(now time.Time, at int64) { c.since, c.last = now, at }

// autoCompact looks until the member stops.
func (s *Server) autoCompact(c *compactor) {
	ticker := time.NewTicker(c.look)
	defer ticker.Stop()
	for {
		select {
		case <-s.stopping:
			return
		case now := <-ticker.C:
			at, due := c.due(now, s.backend.head.revision.Load())
			if due && s.backend.Status().Raft.Role == raft.Leader && s.compactAt(at) {
				c.done(now, at)
			}
		}
	}
}

// compactAt reports whether history is compacted at a revision afterwards.
func (s *Server) compactAt(at int64) bool {
	ctx, cancel := context.WithTimeout(context.Background(), s.settings.requestTimeout())
	defer cancel()
	began := time.Now()
	res, err := s.backend.Propose(ctx, &state.CompactRequest{Revision: at})
	if err == nil {
		err = res.Err
	}
	switch {
	case err == nil:
		s.log.Info("completed auto compaction", "revision", at, "took", time.Since(began).String())
	case errors.Is(err, mvcc.ErrCompacted): // by somebody else
	default:
		s.log.Warn("failed auto compaction", "revision", at, "error", err.Error())
		return false
	}
	return true
}

package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/holdfast-db/holdfast/mvcc"
	"github.com/holdfast-db/holdfast/raft"
	"github.com/holdfast-db/holdfast/server/state"
)

// Members have applied the same log, so at the same revision, compacted at the
// same revision, their data has the same hash (HashKV). If it doesn't, memory, a
// disk or this program has failed one of them. Three checks compare: one of a
// member before it serves, two of the leader from time to time. What a check of
// the leader finds raises the alarm CORRUPT, under which nothing is written any
// more until an operator has replaced the member and disarmed it.
//
// Whom a check blames, and what it leaves for another time, are etcd's rules
// (corruption_rules.go). Members ask each other over HTTP on their peer URLs
// (corruption_peers.go).

// ErrInconsistent: this member's data isn't that of the others.
var ErrInconsistent = errors.New("found data inconsistency with peers")

// dataHash is a member's answer to: what is the hash of your data at a revision?
type dataHash struct {
	member    uint64
	hash      uint32
	compacted int64 // the compacted revision that it was taken at
	at        int64 // the revision that it is of
	present   int64 // the member's revision when it answered
	err       error // there is no answer, for this reason
}

// corruptionCheck compares this member's data with that of others.
type corruptionCheck struct {
	log  *slog.Logger
	self uint64
	// own hashes this member's data at a revision, 0 for the present.
	own func(ctx context.Context, revision int64) (dataHash, error)
	// others asks all other members; one that doesn't answer has an err.
	others func(ctx context.Context, revision int64) []dataHash
	// catchUp returns once this member has all that was acknowledged before.
	catchUp func(ctx context.Context) error
	// compactions are the latest, with their hashes.
	compactions func(ctx context.Context) ([]mvcc.CompactionHash, error)
	// alarm raises CORRUPT for a member, 0 for nobody in particular.
	alarm func(member uint64)

	agreed int64 // the latest compaction whose hash all members agree on
}

func (b *backend) newCorruptionCheck(others func(context.Context, int64) []dataHash) *corruptionCheck {
	return &corruptionCheck{
		log: b.log, self: b.settings.member, own: b.hashAt, others: others,
		catchUp: func(ctx context.Context) error {
			_, err := b.View(ctx, true)
			return err
		},
		compactions: func(ctx context.Context) ([]mvcc.CompactionHash, error) {
			view, err := b.View(ctx, false)
			if err != nil {
				return nil, err
			}
			return view.KV.CompactionHashes(), nil
		},
		alarm: b.raiseCorrupt,
	}
}

// hashAt hashes what is applied here.
func (b *backend) hashAt(ctx context.Context, revision int64) (dataHash, error) {
	view, err := b.View(ctx, false)
	if err != nil {
		return dataHash{}, err
	}
	hash, compacted, at, err := view.KV.HashKV(revision)
	return dataHash{member: b.settings.member, hash: hash, compacted: compacted, at: at, present: view.Revision()}, err
}

func (b *backend) raiseCorrupt(member uint64) {
	b.log.Error("alarm raised", "alarm", state.AlarmCorrupt.String(), "from", hex(member))
	ctx, cancel := context.WithTimeout(context.Background(), b.settings.requestTimeout())
	defer cancel()
	// If it can't be raised now, the next check finds the same.
	if _, err := b.Propose(ctx, &state.AlarmRequest{Activate: true, Member: member, Kind: state.AlarmCorrupt}); err != nil {
		b.log.Warn("cannot raise the alarm", "alarm", state.AlarmCorrupt.String(), "error", err.Error())
	}
}

// checkAtStart is the check of a member that has data, before it serves.
func (s *Server) checkAtStart() error {
	if !s.restarted || !s.settings.gates["InitialCorruptCheck"] {
		return nil
	}
	timeout := s.settings.requestTimeout()
	s.log.Info("starting initial corruption check", "local-member-id", hex(s.settings.member), "timeout", timeout.String())
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	if err := s.corruption.initial(ctx); err != nil {
		s.log.Error("checkInitialHashKV failed", "error", err.Error())
		return err
	}
	s.log.Info("initial corruption checking passed; no corruption", "local-member-id", hex(s.settings.member))
	return nil
}

// checksCorruption tells whether the leader has checks to run.
func (s *settings) checksCorruption() bool {
	return s.CorruptCheckTime > 0 || s.gates["CompactHashCheck"]
}

// checkFromTimeToTime runs the leader's checks until the member stops. They share
// a goroutine: each reads all data.
func (s *Server) checkFromTimeToTime() {
	var data, compactions <-chan time.Time // nil: never
	if every := s.settings.CorruptCheckTime; every > 0 {
		ticker := time.NewTicker(every)
		defer ticker.Stop()
		data = ticker.C
		s.log.Info("enabled corruption checking", "local-member-id", hex(s.settings.member), "interval", every.String())
	}
	if every := s.settings.CompactHashCheckTime; s.settings.gates["CompactHashCheck"] {
		ticker := time.NewTicker(every)
		defer ticker.Stop()
		compactions = ticker.C
	}
	for {
		select {
		case <-s.stopping:
			return
		case <-data:
			s.whileLeading(s.corruption.periodic)
		case <-compactions:
			s.whileLeading(s.corruption.ofCompactions)
		}
	}
}

// whileLeading runs a check if this member leads.
func (s *Server) whileLeading(check func(context.Context) error) {
	if s.backend.Status().Raft.Role != raft.Leader {
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	s.work.Go(func() {
		select {
		case <-s.stopping:
			cancel()
		case <-ctx.Done():
		}
	})
	if err := check(ctx); err != nil && ctx.Err() == nil {
		s.log.Warn("failed to check hash KV", "error", err.Error())
	}
}

// initial compares this member with its peers at its own revision.
func (c *corruptionCheck) initial(ctx context.Context) error {
	mine, err := c.own(ctx, 0)
	if err != nil {
		return fmt.Errorf("%s failed to fetch hash (%w)", hex(c.self), err)
	}
	if c.differs(mine, c.others(ctx, mine.at)) {
		return fmt.Errorf("%s %w", hex(c.self), ErrInconsistent)
	}
	return nil
}

// periodic compares all members at this member's revision.
func (c *corruptionCheck) periodic(ctx context.Context) error {
	first, err := c.own(ctx, 0)
	if err != nil {
		return err
	}
	peers := c.others(ctx, first.at)
	if err := c.catchUp(ctx); err != nil {
		return err
	}
	second, err := c.own(ctx, 0)
	if err != nil {
		return err
	}
	if culprit, found := c.culprit(first, second, peers); found {
		c.alarm(culprit)
	}
	answered := len(peers) - countErrors(peers)
	c.log.Info("finished peer corruption check", "number-of-peers-checked", answered)
	return nil
}

// ofCompactions compares the hashes of compactions, the latest first, until all
// members have answered for one. Older ones say nothing more.
func (c *corruptionCheck) ofCompactions(ctx context.Context) error {
	c.log.Info("starting compact hash check", "local-member-id", hex(c.self))
	hashes, err := c.compactions(ctx)
	if err != nil {
		return err
	}
	checked := 0
	for _, h := range slices.Backward(hashes) {
		if h.Revision <= c.agreed {
			break
		}
		mine := dataHash{member: c.self, hash: h.Hash, compacted: h.CompactRevision, at: h.Revision}
		checked++
		if peers := c.others(ctx, h.Revision); len(peers) > 0 && c.settle(mine, peers) {
			break
		}
	}
	c.log.Info("finished compaction hash check", "number-of-hashes-checked", checked)
	return nil
}

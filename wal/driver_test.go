package wal

import (
	"errors"
	"fmt"
	"math/rand/v2"

	"github.com/holdfast-db/holdfast/internal/disk"
	"github.com/holdfast-db/holdfast/raft"
)

// driver runs a log and its model side by side on a disk that may fail.
type driver struct {
	rng *rand.Rand
	fs  *disk.Mem
	o   Options
	log *Log
	// jobs are out and not finished.
	jobs []*Job

	// acked is what must survive; pending, if set, is what may have been
	// written by the call that failed.
	acked   model
	pending *model
	created bool
	opens   int
}

func newDriver(seed uint64) *driver {
	fs := disk.NewMem()
	o := testOptions(fs)
	o.Salt = counter(seed)
	o.SparesMax = 2
	return &driver{rng: rand.New(rand.NewPCG(seed, 2)), fs: fs, o: o, acked: newModel()}
}

// open creates the log if need be, opens it and compares it with the model. An
// error of the disk is returned; a wrong log is a wrongLog.
func (d *driver) open() error {
	d.o.FS = d.fs
	if err := d.create(); err != nil {
		return err
	}
	log, rec, err := Open(d.o)
	if errors.Is(err, ErrCorrupt) || errors.Is(err, ErrAmnesiac) || errors.Is(err, ErrNew) {
		return wrongLog{err}
	}
	if err != nil {
		return err
	}
	d.log, d.jobs = log, nil
	d.opens++
	return d.compare(rec)
}

func (d *driver) create() error {
	exists, err := Exists(d.fs, testDir)
	if err != nil || exists {
		return err
	}
	if d.created {
		return wrongLog{errors.New("the member's log is gone")}
	}
	if err := Create(d.o, testID, testInitial()); err != nil {
		return err
	}
	d.created = true
	return nil
}

type wrongLog struct{ error }

// compare accepts the acknowledged state, or that with the last call's effect,
// and goes on from what it found.
func (d *driver) compare(rec *Recovered) error {
	err := d.acked.check(d.log, rec)
	if err != nil && d.pending != nil {
		if perr := d.pending.check(d.log, rec); perr == nil {
			d.acked, err = *d.pending, nil
		} else {
			err = fmt.Errorf("neither acknowledged state (%w) nor pending (%w)", err, perr)
		}
	}
	d.pending = nil
	if err != nil {
		return wrongLog{fmt.Errorf("%w; found: %s", err, brief(rec))}
	}
	// Everything found is durable now, a higher commit index too. What was not
	// found of it, the snapshot file vouches for.
	d.acked.commit = rec.HardState.Commit
	d.acked.hard.Commit = max(rec.HardState.Commit, d.acked.snapshot.Last.Index)
	return nil
}

// append runs one request on both.
func (d *driver) append(p *raft.Persist) error {
	next := d.acked.clone()
	next.append(p)
	err := d.log.Append(p)
	if err != nil {
		if errors.Is(err, ErrFailed) {
			d.pending = &next
		}
		return err
	}
	d.acked = next
	return nil
}

// step does one random thing.
func (d *driver) step() error {
	switch r := d.rng.IntN(100); {
	case r < 45:
		return d.append(d.randomAppend())
	case r < 52:
		return d.append(d.randomConflict())
	case r < 58:
		return d.append(&raft.Persist{HardState: d.nextVote(), MustSync: true})
	case r < 62:
		return d.append(&raft.Persist{HardState: d.commitTo(d.acked.hard)})
	case r < 68:
		return d.log.Idle()
	case r < 73:
		d.log.Checkpoint()
		return nil
	case r < 90:
		return d.stepJob()
	case r < 94:
		return d.compact()
	case r < 96:
		return d.append(d.randomReset())
	case r < 98:
		return d.restart()
	}
	return d.killAndOpen()
}

func (d *driver) commitTo(hs raft.HardState) raft.HardState {
	if last := d.acked.last().Index; last > hs.Commit {
		hs.Commit += raft.Index(d.rng.IntN(int(last-hs.Commit) + 1))
	}
	return hs
}

func (d *driver) nextTerm() raft.HardState {
	hs := d.acked.hard
	hs.Term++
	hs.Vote = raft.NodeID(d.rng.IntN(4))
	return hs
}

// nextVote is a new term, or the vote in this one if there was none yet.
func (d *driver) nextVote() raft.HardState {
	if hs := d.acked.hard; hs.Vote == 0 && hs.Term > 0 {
		hs.Vote = 3
		return hs
	}
	return d.nextTerm()
}

func (d *driver) randomEntries(prev raft.EntryID, term raft.Term) (es []raft.Entry) {
	for i := range 1 + d.rng.IntN(5) {
		size := d.rng.IntN(300)
		if d.rng.IntN(12) == 0 {
			size = d.rng.IntN(9000)
		}
		if d.rng.IntN(200) == 0 {
			size = 20000 // larger than a segment
		}
		e := entry(prev.Index+1+raft.Index(i), max(term, 1), size+20)
		switch d.rng.IntN(15) {
		case 0:
			e.Type, e.Data = raft.EntryConfig, raft.AppendConfiguration(nil, testConfig(1+d.rng.IntN(5)))
			e = seal(e)
		case 1:
			e.Type, e.Data = raft.EntryNoop, nil
			e = seal(e)
		}
		es = append(es, e)
	}
	return es
}

func (d *driver) randomAppend() *raft.Persist {
	hs := d.commitTo(d.acked.hard)
	hs.Term = max(hs.Term, 1)
	return &raft.Persist{HardState: hs, Entries: d.randomEntries(d.acked.last(), hs.Term), MustSync: true}
}

// randomConflict rewrites entries above the commit index in a new term.
func (d *driver) randomConflict() *raft.Persist {
	last := d.acked.last().Index
	if last <= d.acked.hard.Commit {
		return d.randomAppend()
	}
	hs := d.nextTerm()
	from := d.acked.hard.Commit + 1 + raft.Index(d.rng.IntN(int(last-d.acked.hard.Commit)))
	p := &raft.Persist{HardState: hs, Truncate: from, MustSync: true}
	if d.rng.IntN(4) > 0 {
		p.Entries = d.randomEntries(d.acked.id(from-1), hs.Term)
	}
	return p
}

func (d *driver) randomReset() *raft.Persist {
	hs := d.nextTerm()
	last := raft.EntryID{Index: d.acked.last().Index + raft.Index(d.rng.IntN(20)) + 1, Term: hs.Term}
	if low := d.acked.hard.Commit + 1; d.rng.IntN(2) == 0 {
		// A snapshot inside of what we hold, of another history.
		last.Index = low + raft.Index(d.rng.IntN(int(last.Index-low)+1))
	}
	hs.Commit = last.Index
	config := raft.ConfigAt{At: raft.EntryID{Index: last.Index, Term: 1}, Config: testConfig(1 + d.rng.IntN(5))}
	p := &raft.Persist{HardState: hs, Reset: &raft.SnapshotMeta{Last: last, Config: config}, MustSync: true}
	if d.rng.IntN(3) == 0 {
		p.Entries = d.randomEntries(last, hs.Term)
	}
	return p
}

func (d *driver) compact() error {
	m := &d.acked
	low := max(m.first(), m.snapshot.Last.Index)
	if m.hard.Commit < low || m.last().Index < low {
		return nil
	}
	at := low + raft.Index(d.rng.IntN(int(m.hard.Commit-low+1)))
	meta := raft.SnapshotMeta{Last: m.id(at), Config: raft.ConfigAt{Config: testConfig(3)}}
	first := m.first() + raft.Index(d.rng.IntN(int(at+2-m.first())))
	if err := d.log.Compact(meta, first); err != nil {
		return err
	}
	m.compact(meta, first)
	return nil
}

// stepJob gives a random job a step, as a worker on another goroutine might.
func (d *driver) stepJob() error {
	if j := d.log.Job(); j != nil {
		d.jobs = append(d.jobs, j)
	}
	if len(d.jobs) == 0 {
		return nil
	}
	i := d.rng.IntN(len(d.jobs))
	if !d.jobs[i].Step() {
		return nil
	}
	j := d.jobs[i]
	d.jobs = append(d.jobs[:i], d.jobs[i+1:]...)
	return d.log.Finish(j)
}

func (d *driver) finishJobs() error {
	for len(d.jobs) > 0 {
		if err := d.stepJob(); err != nil {
			return err
		}
	}
	return nil
}

func (d *driver) restart() error {
	if err := d.finishJobs(); err != nil {
		return err
	}
	if err := d.log.Close(); err != nil {
		return err
	}
	return d.open()
}

func (d *driver) killAndOpen() error {
	d.fs.Kill()
	return d.open()
}

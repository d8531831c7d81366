package replica

import (
	"errors"
	"fmt"

	"github.com/holdfast-db/holdfast/raft"
	"github.com/holdfast-db/holdfast/wal"
)

// Log is the second actor: it owns the files of the log, appends and syncs.
// One write is under way at a time; its completion is what lets the core hand
// out the next.
type Log struct {
	cfg Config
	wal *wal.Log
	// writing is the write under way, waiting what of it is not written yet:
	// more than nothing only while the disk is full.
	writing raft.Write
	waiting []*raft.Persist
	low     bool // as the core knows it
	// idle: no write since the last tick.
	idle bool
	// retire removes snapshots that the log no longer depends on.
	retire func(oldest, newest raft.EntryID) error
	ticks  int64
	fenced error // why the process ends once super tells of it
}

// Step takes one event.
func (l *Log) Step(ev Event, out *Output) {
	var err error
	switch ev := ev.(type) {
	case persistEvent:
		err = l.write(ev.Persist, out)
	case loadEvent:
		err = l.load(ev.Request, out)
	case compactEvent:
		err = l.compact(ev, out)
	case marksEvent:
		l.marks(ev)
	case retireEvent:
		err = l.retire(ev.Last, ev.Last)
	case TickEvent:
		err = l.tick(out)
	case JobDoneEvent:
		ev.Job.Finish(ev.Err, out)
	default:
		panic(fmt.Sprintf("replica: log actor can't take a %T", ev))
	}
	if err != nil {
		out.Fatal = err
	}
}

// Flush hands out background work that has come due: super, the next segment,
// recycling. It runs beside appends, on files of its own.
func (l *Log) Flush(out *Output) {
	if out.Fatal != nil {
		return
	}
	for job := l.wal.Job(); job != nil; job = l.wal.Job() {
		out.Jobs = append(out.Jobs, l.job(job))
	}
}

func (l *Log) job(j *wal.Job) Job {
	return Job{
		Name: j.Kind.String(), Owner: ToLog,
		Step: func() (bool, error) { return j.Step(), nil },
		Finish: func(_ error, out *Output) {
			if err := l.wal.Finish(j); err != nil {
				out.Fatal = err
				return
			}
			l.endFenced(out)
		},
	}
}

func (l *Log) write(p *raft.Persist, out *Output) error {
	l.idle = false
	l.writing, l.waiting = p.Write, l.split(p)
	return l.append(out)
}

// append writes what waits. A disk without room for another segment is not a
// failure (log-format, "Failing disks"): the write stays and is tried again, a
// second later or with the next segment that compaction sets free. Meanwhile
// the member acknowledges nothing, and the others do without it.
func (l *Log) append(out *Output) error {
	for len(l.waiting) > 0 {
		if err := l.wal.Append(l.waiting[0]); err != nil {
			return unlessFull(err)
		}
		l.waiting = l.waiting[1:]
	}
	stats := l.wal.Stats()
	l.low = l.low || stats.Low
	out.Events = append(out.Events, PersistedEvent{Write: l.writing, Stats: stats})
	return nil
}

// unlessFull passes errors on, save that a segment could not be prepared.
func unlessFull(err error) error {
	if errors.Is(err, wal.ErrNoSpace) && !errors.Is(err, wal.ErrFailed) {
		return nil
	}
	return err
}

// writeBytesMax bounds the payload of one batch of the log. Raft collects all
// that comes while a sync lasts, which has no bound of its own, and the log's
// format has one.
const writeBytesMax = 64 << 20

// split cuts a write into batches: one for each entry under the policy
// "always", else as few as writeBytesMax allows.
func (l *Log) split(p *raft.Persist) []*raft.Persist {
	var parts []*raft.Persist
	for from := 0; from < len(p.Entries); {
		to, bytes := from+1, len(p.Entries[from].Data)
		for to < len(p.Entries) && !l.cfg.Sync.OneByOne() {
			if bytes += len(p.Entries[to].Data); bytes > writeBytesMax {
				break
			}
			to++
		}
		parts = append(parts, partOf(p, from, to))
		from = to
	}
	if len(parts) < 2 {
		return []*raft.Persist{p}
	}
	return parts
}

// partOf is the part of a write with Entries[from:to]. Cuts and resets come
// with the first.
func partOf(p *raft.Persist, from, to int) *raft.Persist {
	part := *p
	part.Entries, part.Configs = p.Entries[from:to:to], nil
	first, last := part.Entries[0].Index, part.Entries[to-from-1].Index
	for _, c := range p.Configs {
		if first <= c.At.Index && c.At.Index <= last {
			part.Configs = append(part.Configs, c)
		}
	}
	if from > 0 {
		part.Reset, part.Truncate = nil, 0
	}
	part.HardState.Commit = min(part.HardState.Commit, last)
	return &part
}

func (l *Log) load(r raft.LoadRequest, out *Output) error {
	entries, err := l.wal.Read(r.From, r.To, r.BytesMax)
	if err != nil && !errors.Is(err, wal.ErrCompacted) {
		return err
	}
	loaded := raft.Loaded{Request: r, Entries: entries, Compacted: err != nil}
	out.Events = append(out.Events, LoadedEvent{Loaded: loaded})
	return nil
}

func (l *Log) compact(ev compactEvent, out *Output) error {
	if err := l.wal.Compact(ev.Oldest, ev.First); err != nil {
		return err
	}
	l.wal.CountFrom(ev.Meta.Last.Index)
	if err := l.retire(ev.Oldest.Last, ev.Meta.Last); err != nil {
		return err
	}
	out.Events = append(out.Events, compactedEvent{Meta: ev.Meta, First: ev.First, Stats: l.wal.Stats()})
	return nil
}

// tick writes a mark after the first tick without a write: it proves that the
// last batch was durable (log-format, "mark"). Once a second super may follow.
func (l *Log) tick(out *Output) error {
	if l.ticks++; l.ticks%max(1_000_000/l.cfg.TickMicros, 1) == 0 {
		if err := l.second(out); err != nil {
			return err
		}
	}
	if !l.idle {
		l.idle = true
		return nil
	}
	if len(l.waiting) > 0 {
		return nil
	}
	return unlessFull(l.wal.Idle())
}

// second tries again what a full disk refused, and tells the core when the
// reserve is used up, or is there again: without writes it hears of neither.
func (l *Log) second(out *Output) error {
	if low := l.wal.Stats().Low; low != l.low {
		l.low = low
		out.Events = append(out.Events, lowEvent{Low: low})
	}
	l.wal.Checkpoint()
	if len(l.waiting) == 0 {
		return nil
	}
	return l.append(out)
}

package wal

import (
	"errors"
	"fmt"
	"path"
	"slices"

	"github.com/holdfast-db/holdfast/raft"
)

// JobKind names a piece of background work.
type JobKind uint8

const (
	// JobSuper writes super.
	JobSuper JobKind = iota + 1
	// JobPrepare makes the next segment.
	JobPrepare
	// JobRecycle turns segments that no one needs into spares.
	JobRecycle
)

// String prints the kind as one word.
func (k JobKind) String() string {
	switch k {
	case JobSuper:
		return "super"
	case JobPrepare:
		return "prepare"
	case JobRecycle:
		return "recycle"
	}
	return fmt.Sprintf("job(%d)", uint8(k))
}

// Job is background work in steps that take bounded time. It touches files of
// its own only and shares no memory with the Log, so Step may run on another
// goroutine, or on the simulator's heap. When Step returns true the job is
// handed back to the Log's owner, who calls Finish.
type Job struct {
	Kind JobKind

	step func() (done bool, err error)
	err  error

	super    super
	prepared *preparation
	recycler *recycler
}

// Step does the next piece; true when the job is over, well or badly.
func (j *Job) Step() (done bool) {
	done, err := j.step()
	j.err = err
	return done || err != nil
}

// Job returns the next piece of background work that is due, or nil. At most
// one of each kind is out at a time; calling again may give one of another.
func (l *Log) Job() *Job {
	switch {
	case l.usable() != nil:
		return nil
	case l.due.super && !l.running.super:
		return l.superJob()
	case l.wantsPrepare() && !l.running.prepare && !l.running.recycle:
		return l.prepareJob()
	case (len(l.retired) > 0 || len(l.spares) > l.o.SparesMax) && !l.running.recycle:
		return l.recycleJob()
	}
	return nil
}

// RunJobs does all background work that is due, at once: for callers without a
// worker.
func (l *Log) RunJobs() error {
	for j := l.Job(); j != nil; j = l.Job() {
		for !j.Step() {
		}
		if err := l.Finish(j); err != nil {
			return err
		}
	}
	return l.usable()
}

// Checkpoint asks for super to be written if anything was synced since it was
// written last, and for another try where there was no room. Call it every
// second.
func (l *Log) Checkpoint() {
	l.full = false
	if l.floor.At != l.super.floor.At {
		l.due.super = true
	}
}

// SetPeers remembers how far the other members were heard to be; the list is
// kept with the next super.
func (l *Log) SetPeers(peers []PeerMark) {
	l.peers = append(l.peers[:0:0], peers...)
	l.due.super = true
}

// Remembers reports whether super, as last written, has a row about the member.
func (l *Log) Remembers(id raft.NodeID) bool {
	return slices.ContainsFunc(l.super.peers, func(p PeerMark) bool { return p.ID == id })
}

func (l *Log) superJob() *Job {
	l.due.super, l.running.super = false, true
	w := &superWriter{file: l.superFile, super: l.nextSuper()}
	return &Job{Kind: JobSuper, step: w.step, super: w.super}
}

// nextSuper is what super should say now, as the next version.
func (l *Log) nextSuper() super {
	s := l.super
	s.version++
	s.floor = l.floor
	s.snapshot = l.state.snapshot
	s.active = l.activeConfig()
	if l.peers != nil {
		s.peers = l.peers
	}
	return s
}

// superWritten takes a version for written: what it no longer needs can go. The
// start may have moved on since; the next version will tell.
func (l *Log) superWritten(s super) {
	start := l.super.start
	l.super = s
	l.super.start = max(start, s.start)
	l.due.super = l.due.super || l.super.start != s.start
	for len(l.segments) > 1 && l.segments[0].seq < s.start {
		l.retire(0, 1)
	}
}

// retire takes segments [i, j) out of the log.
func (l *Log) retire(i, j int) {
	for _, s := range l.segments[i:j] {
		s.file.Close()
		l.retired = append(l.retired, s.seq)
	}
	l.segments = append(l.segments[:i], l.segments[j:]...)
}

func (l *Log) wantsPrepare() bool { return l.due.prepare && !l.full }

func (l *Log) prepareJob() *Job {
	l.due.prepare, l.running.prepare = false, true
	p := l.preparation(l.o.SegmentBytes)
	p.zero = true
	return &Job{Kind: JobPrepare, step: p.step, prepared: p}
}

func (l *Log) preparation(size int64) *preparation {
	l.seqMax++
	return &preparation{m: &l.maker, seq: l.seqMax, salt: l.o.Salt(), size: size, spare: l.takeSpare()}
}

func (l *Log) takeSpare() string {
	if len(l.spares) == 0 {
		return ""
	}
	name := l.spares[0]
	l.spares = l.spares[1:]
	return name
}

// takeSegment returns the next segment, with room for so many blocks: the one
// prepared ahead, else one that is made now.
func (l *Log) takeSegment(blocks uint32) (segment, error) {
	if r := l.ready; r != nil && r.blocks >= blocks {
		l.ready = nil
		return *r, nil
	}
	size := max(l.o.SegmentBytes, int64(blocks)*blockBytes)
	p := l.preparation(size)
	l.stats.MadeInline++
	return p.run()
}

// dropStale gives up a prepared segment whose number is below that of one made
// for a large batch meanwhile: links lead to lower numbers only.
func (l *Log) dropStale() {
	if r := l.ready; r != nil && r.seq < l.current().seq {
		r.file.Close()
		l.retired, l.ready = append(l.retired, r.seq), nil
	}
}

// recycler renames retired segments to spares and removes those too many.
type recycler struct {
	l       *maker
	retired []uint64
	surplus []string
	keep    int
	spares  []string
}

func (l *Log) recycleJob() *Job {
	l.running.recycle = true
	r := &recycler{l: &l.maker, retired: l.retired, keep: max(0, l.o.SparesMax-len(l.spares))}
	if n := len(l.spares) - l.o.SparesMax; n > 0 {
		r.surplus, l.spares = l.spares[:n:n], l.spares[n:]
	}
	l.retired = nil
	return &Job{Kind: JobRecycle, step: r.step, recycler: r}
}

func (r *recycler) step() (done bool, err error) {
	if n := len(r.surplus); n > 0 {
		name := r.surplus[n-1]
		r.surplus = r.surplus[:n-1]
		return false, r.l.fs.Remove(path.Join(r.l.dir, name))
	}
	if len(r.retired) == 0 {
		return true, r.l.fs.SyncDir(r.l.dir)
	}
	seq := r.retired[0]
	r.retired = r.retired[1:]
	old := path.Join(r.l.dir, segmentName(seq))
	if len(r.spares) >= r.keep {
		return false, r.l.fs.Remove(old)
	}
	if err := r.l.fs.Rename(old, path.Join(r.l.dir, spareName(seq))); err != nil {
		return false, err
	}
	r.spares = append(r.spares, spareName(seq))
	return false, nil
}

// Finish takes a job back. The error is ErrFailed if the job's failure leaves
// the log unusable. A full disk is not an error: the preparation is tried again
// after the next Checkpoint, and Stats tells of it.
func (l *Log) Finish(j *Job) error {
	switch j.Kind {
	case JobSuper:
		l.running.super = false
		if j.err != nil {
			return l.fail(fmt.Errorf("write super: %w", j.err))
		}
		l.superWritten(j.super)
	case JobPrepare:
		l.running.prepare = false
		return l.prepared(j)
	case JobRecycle:
		l.running.recycle = false
		l.spares = append(l.spares, j.recycler.spares...)
		if j.err != nil {
			// Nothing depends on these files; the next start finds them again.
			l.stats.RecycleErrors++
		}
	}
	return l.usable()
}

func (l *Log) prepared(j *Job) error {
	if j.err == nil {
		done := j.prepared.done
		l.ready = &done
		l.dropStale()
		l.due.prepare = l.ready == nil
		return l.usable()
	}
	j.prepared.abandon()
	switch {
	case errors.Is(j.err, ErrNoSpace):
		l.full, l.due.prepare = true, true
		l.stats.NoSpace++
	default:
		return l.fail(fmt.Errorf("prepare a segment: %w", j.err))
	}
	return l.usable()
}

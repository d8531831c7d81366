package wal

import (
	"errors"
	"fmt"
	"io"
	"path"
	"slices"

	"github.com/holdfast-db/holdfast/internal/disk"
	"github.com/holdfast-db/holdfast/raft"
)

const lockName = "LOCK"

// Exists reports whether a member's log is in dir, whole or not: a super, or a
// segment that holds a batch. Only where neither is may Create be called.
func Exists(fs disk.FS, dir string) (bool, error) {
	names, err := fs.List(dir)
	if errors.Is(err, disk.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("wal: %w", err)
	}
	if slices.Contains(names, superName) {
		return true, nil
	}
	s := &survey{fs: fs, dir: dir}
	err = s.withoutSuper(names, true)
	switch {
	case errors.Is(err, ErrNew):
		return false, nil
	case errors.Is(err, ErrAmnesiac):
		return true, nil
	}
	return false, err
}

// Create makes a new member durable: its identity, and the position that its
// log begins at. initial.Last is zero save for a member restored from a
// backup; initial.Config is the configuration that all members start with. The
// first segment is made by Open.
func Create(o Options, id Identity, initial raft.SnapshotMeta) (err error) {
	o, err = o.withDefaults()
	if err != nil {
		return err
	}
	if err := o.FS.MkdirAll(o.Dir); err != nil {
		return fmt.Errorf("wal: %w", err)
	}
	lock, err := lockDir(o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, lock.Close()) }()
	if exists, err := Exists(o.FS, o.Dir); err != nil || exists {
		if err == nil {
			err = fmt.Errorf("%w: %s", ErrExists, o.Dir)
		}
		return err
	}
	s := super{version: 1, id: id, start: 1, snapshot: initial, active: initial.Config}
	if err := createSuper(o.FS, o.Dir, s); err != nil {
		return fmt.Errorf("wal: create super: %w", err)
	}
	return nil
}

func lockDir(o Options) (io.Closer, error) {
	lock, err := o.FS.Lock(path.Join(o.Dir, lockName))
	if err != nil {
		return nil, fmt.Errorf("wal: lock %s: %w", o.Dir, err)
	}
	return lock, nil
}

// Open recovers the log and makes it ready for appending. When it returns,
// everything it reports is durable, also what was found in the page cache only.
//
// Errors: ErrNew, ErrAmnesiac, ErrCorrupt (a *CorruptError), ErrVersion,
// disk.ErrLocked, ErrNoSpace, or the disk's own. After an error nothing was
// changed that a later Open would read otherwise.
func Open(o Options) (*Log, *Recovered, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, nil, err
	}
	lock, err := lockDir(o)
	if errors.Is(err, disk.ErrNotExist) {
		return nil, nil, fmt.Errorf("%w: %s", ErrNew, o.Dir)
	}
	if err != nil {
		return nil, nil, err
	}
	l, rec, err := open(o)
	if err != nil {
		if l != nil {
			l.release()
		}
		return nil, nil, errors.Join(err, lock.Close())
	}
	l.lock = lock
	return l, rec, nil
}

// recoverState reads the files and changes none of them.
func recoverState(fs disk.FS, dir string, segmentBytes int64) (*replay, error) {
	s, err := newSurvey(fs, dir)
	if err != nil {
		return nil, err
	}
	r := &replay{survey: s, segmentBlocks: uint32(segmentBytes / blockBytes)}
	return r, r.run()
}

func open(o Options) (*Log, *Recovered, error) {
	r, err := recoverState(o.FS, o.Dir, o.SegmentBytes)
	if err != nil {
		return nil, nil, err
	}
	l := newLog(o, r)
	if err := l.openFiles(r); err != nil {
		return l, nil, err
	}
	tail, err := l.tail(o.TailBytes)
	if err != nil {
		return l, nil, err
	}
	if err := l.openSegment(r); err != nil {
		return l, nil, err
	}
	st := &l.state
	return l, &Recovered{
		Identity: l.super.id, Boot: l.super.boot, HardState: st.hard, Snapshot: st.snapshot,
		First: st.first(), Last: st.last.Index, Prev: st.prev,
		Terms: append([]raft.EntryID(nil), st.terms...), Configs: append([]raft.ConfigAt(nil), st.configs...),
		Tail: tail, Peers: l.super.peers, Active: r.super.active, Torn: r.torn, Damage: r.damage,
	}, nil
}

func newLog(o Options, r *replay) *Log {
	return &Log{
		o:      o,
		maker:  maker{fs: o.FS, dir: o.Dir, cluster: r.super.id.Cluster, member: r.super.id.Member},
		state:  r.state,
		super:  *r.super,
		seqMax: r.seqMax,
		spares: r.spares,
		chain:  r.net.chain,
	}
}

// openFiles opens super and the walk's segments for reading.
func (l *Log) openFiles(r *replay) (err error) {
	if l.superFile, err = l.o.FS.Open(path.Join(l.o.Dir, superName)); err != nil {
		return fmt.Errorf("wal: %w", err)
	}
	if err := repairSuper(l.superFile, &l.super, append(r.bad, r.behind...)...); err != nil {
		return fmt.Errorf("wal: repair super: %w", err)
	}
	for _, p := range r.walk {
		if p.missing {
			continue // nothing in it is needed, or recovery would have failed
		}
		f, err := l.o.FS.Open(r.path(p.seq))
		if err != nil {
			return fmt.Errorf("wal: %w", err)
		}
		// An unknown base is never below an entry that is still needed.
		s := segment{seq: p.seq, salt: p.salt, file: f, base: ^raft.Index(0)}
		if p.open != nil {
			s.base = p.open.prev.Index
		}
		l.segments = append(l.segments, s)
	}
	return nil
}

// openSegment begins a fresh segment (log-format, recovery step 7): one batch
// with the effect of all that isn't proven, synced before anything leaves the
// member; then super with the new boot counter.
func (l *Log) openSegment(r *replay) error {
	b := r.openBatch()
	if b.kind != KindMark {
		entries, err := l.read(b.prev.Index+1, l.state.last.Index, int(^uint(0)>>1))
		if err != nil {
			return err
		}
		b.entries = entries
	}
	l.floor.At = r.base
	if err := l.adoptPrepared(r); err != nil {
		return err
	}
	if err := l.begin(b); err != nil {
		return err
	}
	l.super.boot++
	s := l.nextSuper()
	if err := writeSuper(l.superFile, s); err != nil {
		return fmt.Errorf("wal: write super: %w", err)
	}
	l.leave(r)
	l.superWritten(s)
	return nil
}

// adoptPrepared makes a spare of the newest file that was prepared and never
// begun, if there is no other: a start needs a fresh segment, and on a full disk
// this is the only room there is. Recovery has passed the file over, so that its
// content means nothing; its number stays in its name, which keeps it from being
// used again. The rename needs no sync: with either name a later start finds
// what this one found.
func (l *Log) adoptPrepared(r *replay) error {
	if len(l.spares) > 0 || len(r.walk) == 0 || len(r.outside) == 0 {
		return nil
	}
	last := len(r.outside) - 1
	seq := r.outside[last]
	if seq < r.walk[len(r.walk)-1].seq {
		return nil // an older one: super may still lead to it
	}
	if err := l.o.FS.Rename(r.path(seq), path.Join(l.o.Dir, spareName(seq))); err != nil {
		return fmt.Errorf("wal: recycle segment %d: %w", seq, err)
	}
	l.spares = append(l.spares, spareName(seq))
	r.outside = r.outside[:last]
	return nil
}

// leave hands the files that the new segment doesn't reach to the recycler.
func (l *Log) leave(r *replay) {
	reach := r.base.Seq
	l.retired = append(l.retired, r.outside...)
	for len(l.segments) > 1 {
		i := len(l.segments) - 2
		if l.segments[i].seq <= reach {
			break
		}
		l.retire(i, i+1)
	}
}

package wal

import (
	"errors"
	"fmt"
	"path"
	"slices"

	"github.com/holdfast-db/holdfast/internal/disk"
	"github.com/holdfast-db/holdfast/raft"
)

// What follows looks at a log without changing or locking it: for people, and
// for `holdfast wal ls|cat|verify`. On the log of a running member the newest
// batches may look torn.

// FileRow describes one file of the log's directory.
type FileRow struct {
	Name  string
	Bytes int64
	// Role is "super", "segment" (part of the log), "unused" (has a segment's
	// name, but holds nothing of the log), "spare" or "other".
	Role string
	// Batches and First to Last are what a segment holds; First = Last+1 if it
	// has no entries.
	Batches     int
	First, Last raft.Index
	// Link is the position that a segment goes on from.
	Link Pos
}

// BatchRow describes one batch, or a place without one.
type BatchRow struct {
	At    Pos
	Bytes int64
	// Gap: no batch can be read here; only Problem says more.
	Gap bool
	// Kind, and for an open the kind that it carries.
	Kind, Carried Kind
	Prev, Last    raft.EntryID
	HardState     raft.HardState
	Synced        Pos
	Chain         uint32
	// Problem is empty for a whole batch.
	Problem string
	Entries []EntryRow
}

// EntryRow describes one entry.
type EntryRow struct {
	ID    raft.EntryID
	Type  raft.EntryType
	Bytes int
	CRC   uint32
	// Damaged: the data doesn't fit the CRC.
	Damaged bool
}

// SuperRow is what super says.
type SuperRow struct {
	Version uint64
	Identity
	Boot     uint64
	Start    uint64
	Floor    Floor
	Snapshot raft.EntryID
	Active   raft.ConfigAt
	Peers    []PeerMark
}

// Report is the outcome of Verify.
type Report struct {
	Dir   string
	Super SuperRow
	// Segments and Batches were read; the log is First to Last.
	Segments, Batches int
	First, Last       raft.EntryID
	HardState         raft.HardState
	// Proven is the highest position that is known to have been durable.
	Proven Pos
	Torn   *Torn
	Damage []Damage
	// Faults are the entries that are lost; empty for a log that can start.
	Faults []Fault
	// Problem says why the log can't start; empty if it can.
	Problem string
}

// OK reports whether nothing durable is lost.
func (r Report) OK() bool { return r.Problem == "" }

// List describes the files in a log's directory, in order of name.
func List(fs disk.FS, dir string) ([]FileRow, error) {
	s, err := newSurvey(fs, dir)
	if err != nil && s == nil {
		return nil, err
	}
	names, err := fs.List(dir)
	if err != nil {
		return nil, err
	}
	var rows []FileRow
	for _, name := range names {
		row, err := s.describeFile(name)
		if err != nil {
			return nil, err
		}
		rows = append(rows, row)
	}
	return rows, nil
}

func (s *survey) describeFile(name string) (FileRow, error) {
	row := FileRow{Name: name, Role: "other"}
	seq, isSegment := parseName(name, segmentSuffix)
	_, isSpare := parseName(name, spareSuffix)
	if name != superName && !isSegment && !isSpare {
		return row, nil // not the log's: it may be a directory
	}
	f, err := s.fs.Open(path.Join(s.dir, name))
	if err != nil {
		return row, err
	}
	row.Bytes, err = f.Size()
	if err = errors.Join(err, f.Close()); err != nil {
		return row, err
	}
	i := slices.IndexFunc(s.walk, func(p *part) bool { return p.seq == seq })
	switch {
	case name == superName:
		row.Role = "super"
	case slices.Contains(s.spares, name):
		row.Role = "spare"
	case isSegment && i < 0:
		row.Role = "unused"
	case isSegment:
		row.Role, row.Link = "segment", s.walk[i].link
		err = s.catPart(s.walk[i], func(b BatchRow) error { row.add(b); return nil })
	}
	return row, err
}

// add counts a batch in.
func (r *FileRow) add(b BatchRow) {
	if b.Gap {
		return
	}
	if r.Batches == 0 {
		r.First, r.Last = b.Prev.Index+1, b.Prev.Index
	}
	r.Batches++
	if b.Kind != KindRepair {
		r.First, r.Last = min(r.First, b.Prev.Index+1), b.Last.Index
	}
}

// Cat calls f with every batch of the log, oldest first, and with every place
// where one should be and can't be read. It stops at f's first error.
func Cat(fs disk.FS, dir string, f func(BatchRow) error) error {
	s, err := newSurvey(fs, dir)
	if err != nil {
		return err
	}
	for _, p := range s.walk {
		if err := s.catPart(p, f); err != nil {
			return err
		}
	}
	return nil
}

func (s *survey) catPart(p *part, f func(BatchRow) error) error {
	if p.missing {
		return f(BatchRow{At: Pos{p.seq, 0}, Gap: true, Problem: "the file is missing"})
	}
	im, err := s.read(p.seq)
	if err != nil {
		return err
	}
	end := im.blocks()
	if p.end > 0 {
		end = p.end
	}
	items := im.scan(p.salt, end)
	for i, it := range items {
		if it.h == nil && i == len(items)-1 && p.end == 0 {
			break // the newest segment's free room
		}
		if err := f(batchRow(im, it)); err != nil {
			return err
		}
	}
	return nil
}

func batchRow(im *image, it item) BatchRow {
	row := BatchRow{At: Pos{im.seq, it.from}, Bytes: int64(it.to-it.from) * blockBytes, Gap: it.h == nil, Problem: it.problem}
	if it.h == nil {
		return row
	}
	h := it.h
	row.Kind, row.Carried, row.Prev, row.Last = h.kind, h.carried, h.prev, h.last
	row.HardState, row.Synced, row.Chain = h.hard, h.synced, h.chain
	for _, r := range it.rows {
		if r.typ == rowConfig {
			continue
		}
		_, ok := r.entry(it.payload)
		row.Entries = append(row.Entries, EntryRow{ID: r.id, Type: r.typ, Bytes: int(r.size), CRC: r.crc, Damaged: !ok})
	}
	return row
}

// Verify reads the whole log as recovery would and says what it finds. The
// error is for a log that can't be looked at; damage is in the report.
func Verify(fs disk.FS, dir string) (Report, error) {
	rep := Report{Dir: dir}
	r, err := recoverState(fs, dir, SegmentBytesDefault)
	var corrupt *CorruptError
	switch {
	case errors.As(err, &corrupt):
		rep.Problem, rep.Faults = corrupt.Error(), corrupt.Faults
	case err != nil:
		return rep, fmt.Errorf("wal: verify %s: %w", dir, err)
	}
	s := r.super
	rep.Super = SuperRow{
		Version: s.version, Identity: s.id, Boot: s.boot, Start: s.start, Floor: s.floor,
		Snapshot: s.snapshot.Last, Active: s.active, Peers: s.peers,
	}
	rep.Segments, rep.Batches = len(r.walk), r.batches
	rep.First = raft.EntryID{Index: r.state.first()}
	rep.First.Term, _ = r.state.term(r.state.first())
	rep.Last, rep.HardState, rep.Proven = r.state.last, r.state.hard, r.proven
	rep.Torn, rep.Damage = r.torn, r.damage
	return rep, nil
}

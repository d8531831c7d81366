package snapshot

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/holdfast-db/holdfast/internal/disk"
	"github.com/holdfast-db/holdfast/raft"
)

// Options are fixed for the life of a Dir.
type Options struct {
	FS   disk.FS
	Path string
	// Cluster is written into each file, and compared.
	Cluster uint64
	// FileBytesMax and RawBytesMax bound a file that is received or read, as
	// it lies on disk and decompressed; 0: 1 TiB each.
	FileBytesMax int64
	RawBytesMax  int64
	// Benches are what Writers work with; nil: the directory's own.
	Benches *Benches
}

const defaultBytesMax = 1 << 40

// Dir is the directory of a member's snapshots. Its files:
//
//	INDEX-TERM.snap          a whole snapshot, hexadecimal, 16 digits each
//	INDEX-TERM.snap.tmp      one that is being written; removed at start
//	INDEX-TERM-DIGEST.part   one that is being received; may be resumed
//
// Names are made here from numbers, never taken from the network. The methods
// keep no state that a reader sees: one goroutine may write while others read.
type Dir struct {
	options Options
	fs      disk.FS
}

// Info names a snapshot.
type Info struct {
	Last raft.EntryID
	Size int64 // bytes of the file
}

const (
	snapSuffix = ".snap"
	tempSuffix = ".tmp"
	partSuffix = ".part"
)

func snapName(last raft.EntryID) string {
	return fmt.Sprintf("%016x-%016x%s", uint64(last.Index), uint64(last.Term), snapSuffix)
}

func partName(last raft.EntryID, digest uint64) string {
	return fmt.Sprintf("%016x-%016x-%016x%s", uint64(last.Index), uint64(last.Term), digest, partSuffix)
}

// IsName tells whether a file is a whole snapshot, by its name.
func IsName(name string) bool {
	_, ok := parseSnap(name)
	return ok
}

// parseSnap is the inverse of snapName.
func parseSnap(name string) (last raft.EntryID, ok bool) {
	var index, term uint64
	if _, err := fmt.Sscanf(name, "%16x-%16x.snap", &index, &term); err != nil {
		return last, false
	}
	last = raft.EntryID{Index: raft.Index(index), Term: raft.Term(term)}
	return last, snapName(last) == name
}

// parsePart is the inverse of partName.
func parsePart(name string) (last raft.EntryID, ok bool) {
	var index, term, digest uint64
	if _, err := fmt.Sscanf(name, "%16x-%16x-%16x.part", &index, &term, &digest); err != nil {
		return last, false
	}
	last = raft.EntryID{Index: raft.Index(index), Term: raft.Term(term)}
	return last, partName(last, digest) == name
}

// OpenDir makes the directory if need be and removes what an interrupted
// Writer left.
func OpenDir(o Options) (*Dir, error) {
	if o.FileBytesMax == 0 {
		o.FileBytesMax = defaultBytesMax
	}
	if o.RawBytesMax == 0 {
		o.RawBytesMax = defaultBytesMax
	}
	if o.Benches == nil {
		o.Benches = new(Benches)
	}
	d := &Dir{options: o, fs: o.FS}
	if err := d.fs.MkdirAll(o.Path); err != nil {
		return nil, fmt.Errorf("snapshot: make directory: %w", err)
	}
	names, err := d.fs.List(o.Path)
	if err != nil {
		return nil, fmt.Errorf("snapshot: list directory: %w", err)
	}
	for _, name := range names {
		if strings.HasSuffix(name, snapSuffix+tempSuffix) {
			if err := d.remove(name); err != nil {
				return nil, err
			}
		}
	}
	return d, nil
}

func (d *Dir) path(name string) string { return path.Join(d.options.Path, name) }

func (d *Dir) remove(name string) error {
	if err := d.fs.Remove(d.path(name)); err != nil && !errors.Is(err, disk.ErrNotExist) {
		return fmt.Errorf("snapshot: remove: %w", err)
	}
	return nil
}

// List returns the snapshots, oldest first. Files with other names are none of
// its business.
func (d *Dir) List() ([]Info, error) {
	names, err := d.fs.List(d.options.Path)
	if err != nil {
		return nil, fmt.Errorf("snapshot: list directory: %w", err)
	}
	var list []Info
	for _, name := range names {
		last, ok := parseSnap(name)
		if !ok {
			continue
		}
		size, err := d.size(name)
		if err != nil {
			return nil, err
		}
		list = append(list, Info{Last: last, Size: size})
	}
	slices.SortFunc(list, func(a, b Info) int {
		return strings.Compare(snapName(a.Last), snapName(b.Last))
	})
	return list, nil
}

func (d *Dir) size(name string) (int64, error) {
	f, err := d.fs.Open(d.path(name))
	if err != nil {
		return 0, fmt.Errorf("snapshot: open: %w", err)
	}
	size, err := f.Size()
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return 0, fmt.Errorf("snapshot: size of %s: %w", d.path(name), err)
	}
	return size, nil
}

// Remove removes a snapshot. A missing one is no error.
func (d *Dir) Remove(last raft.EntryID) error { return d.remove(snapName(last)) }

// Retain keeps a snapshot, the older one that is named, and those above; it
// removes the others below, and whatever was received in part up to newest. A
// Receiver of a snapshot that is overtaken so fails in Finish, if not before.
func (d *Dir) Retain(oldest, newest raft.EntryID) error {
	list, err := d.List()
	if err != nil {
		return err
	}
	for _, info := range list {
		if info.Last.Index < newest.Index && info.Last != oldest {
			if err := d.Remove(info.Last); err != nil {
				return err
			}
		}
	}
	if err := d.removeParts(newest.Index); err != nil {
		return err
	}
	if err := d.fs.SyncDir(d.options.Path); err != nil {
		return fmt.Errorf("snapshot: sync directory: %w", err)
	}
	return nil
}

// removeParts removes partly received snapshots up to an index.
func (d *Dir) removeParts(upTo raft.Index) error {
	names, err := d.fs.List(d.options.Path)
	if err != nil {
		return fmt.Errorf("snapshot: list directory: %w", err)
	}
	for _, name := range names {
		if last, ok := parsePart(name); ok && last.Index <= upTo {
			if err := d.remove(name); err != nil {
				return err
			}
		}
	}
	return nil
}

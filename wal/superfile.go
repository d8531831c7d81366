package wal

import (
	"errors"
	"fmt"
	"io"
	"path"

	"github.com/holdfast-db/holdfast/internal/disk"
)

const (
	superName    = "super"
	superTmpName = "super.tmp"
)

// readSuper finds the newest version in the file's four blocks. bad lists the
// blocks that hold nothing readable, behind those that hold an older version
// than their twin: the version was being written.
func readSuper(f disk.File) (newest *super, bad, behind []uint32, err error) {
	var found [superBlocks]*super
	for block := range uint32(superBlocks) {
		s, err := readSuperBlock(f, block)
		if errors.Is(err, ErrVersion) {
			return nil, nil, nil, fmt.Errorf("wal: %w", err)
		}
		if err != nil {
			bad = append(bad, block) // an unreadable block is a bad one; its twin decides
			continue
		}
		if found[block] = s; newest == nil || s.version > newest.version {
			newest = s
		}
	}
	for block, s := range found {
		if s != nil && uint64(block%2) == newest.version%2 && s.version < newest.version {
			behind = append(behind, uint32(block))
		}
	}
	return newest, bad, behind, nil
}

func readSuperBlock(f disk.File, block uint32) (*super, error) {
	b := make([]byte, blockBytes)
	if _, err := f.ReadAt(b, int64(block)*blockBytes); err != nil && err != io.EOF {
		return nil, err
	}
	return decodeSuper(b, block)
}

// loadSuper reads super. missing tells that there is no such file; a nil super
// without it that nothing in the file can be read.
func loadSuper(fs disk.FS, dir string) (s *super, bad, behind []uint32, missing bool, err error) {
	f, err := fs.Open(path.Join(dir, superName))
	if errors.Is(err, disk.ErrNotExist) {
		return nil, nil, nil, true, nil
	}
	if err != nil {
		return nil, nil, nil, false, err
	}
	s, bad, behind, err = readSuper(f)
	return s, bad, behind, false, errors.Join(err, f.Close())
}

// superWriter writes one version in four steps: a block, a sync, its twin, a
// sync. Never two blocks before a sync: one fault could take both.
type superWriter struct {
	file  disk.File
	super super
	at    int
	block [blockBytes]byte
}

func (w *superWriter) step() (done bool, err error) {
	if w.at%2 == 1 {
		err = w.file.SyncData()
	} else {
		err = writeSuperBlock(w.file, &w.super, uint32(w.super.version%2)+uint32(w.at), w.block[:])
	}
	w.at++
	return w.at == 4, err
}

// writeSuperBlock uses buf, which is blockBytes long.
func writeSuperBlock(f disk.File, s *super, block uint32, buf []byte) error {
	err := s.encodeInto(buf, block)
	if err == nil {
		_, err = f.WriteAt(buf, int64(block)*blockBytes)
	}
	return err
}

// writeSuper writes one version in one go.
func writeSuper(f disk.File, s super) error {
	w := superWriter{file: f, super: s}
	for {
		if done, err := w.step(); done || err != nil {
			return err
		}
	}
}

// repairSuper makes both copies of the newest version whole and durable: what
// was read may lie in the page cache only, a block may be damaged, and the
// twin's turn may not have come before the crash. Blocks of the other parity
// are overwritten by the next version anyway.
func repairSuper(f disk.File, s *super, blocks ...uint32) error {
	if err := f.SyncData(); err != nil {
		return err
	}
	buf := make([]byte, blockBytes)
	for _, block := range blocks {
		if uint64(block%2) != s.version%2 {
			continue
		}
		if err := writeSuperBlock(f, s, block, buf); err != nil {
			return err
		}
		if err := f.SyncData(); err != nil {
			return err
		}
	}
	return nil
}

// createSuper makes the first version durable before the file gets its name.
func createSuper(fs disk.FS, dir string, s super) error {
	tmp := path.Join(dir, superTmpName)
	if err := fs.Remove(tmp); err != nil && !errors.Is(err, disk.ErrNotExist) {
		return err
	}
	f, err := fs.Create(tmp)
	if err != nil {
		return err
	}
	err = f.Allocate(superBlocks * blockBytes)
	if err == nil {
		err = writeSuper(f, s)
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	if err := fs.Rename(tmp, path.Join(dir, superName)); err != nil {
		return err
	}
	return fs.SyncDir(dir)
}

// Identify tells whose log a directory holds, without locking or changing it.
// ErrNew is wrapped if there is none, ErrAmnesiac if super can't be read.
func Identify(fs disk.FS, dir string) (Identity, error) {
	s, _, _, missing, err := loadSuper(fs, dir)
	switch {
	case err != nil:
		return Identity{}, err
	case missing:
		return Identity{}, fmt.Errorf("%w: %s", ErrNew, dir)
	case s == nil:
		return Identity{}, fmt.Errorf("%w: %s", ErrAmnesiac, path.Join(dir, superName))
	}
	return s.id, nil
}

package server

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/holdfast-db/holdfast/server/api"
	"github.com/holdfast-db/holdfast/server/interchange"
)

// backupFile is a finished database that only this process still sees: its name
// is gone, so that nothing is left of it however the process ends.
type backupFile struct {
	*os.File
	size int64
}

func (f *backupFile) Size() int64 { return f.size }

// Backup implements api.Backend. It writes the database beside the data, where
// there is room if there is any. One is made at a time.
func (b *backend) Backup(ctx context.Context) (api.Backup, error) {
	select {
	case b.backups <- struct{}{}:
		defer func() { <-b.backups }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	view, err := b.View(ctx, false)
	if err != nil {
		return nil, err
	}
	var removed []uint64
	if r := b.head.roster.Load(); r != nil {
		removed = r.removed
	}
	dir, err := os.MkdirTemp(b.settings.dir, "backup-*.tmp")
	if err != nil {
		return nil, fmt.Errorf("server: backup: %w", err)
	}
	file, err := func() (*os.File, error) {
		path := filepath.Join(dir, "db")
		if err := interchange.Write(path, view, removed); err != nil {
			return nil, err
		}
		return os.Open(path)
	}()
	if err = errors.Join(err, os.RemoveAll(dir)); err != nil {
		b.log.Warn("cannot make a backup", "error", err.Error())
		return nil, err
	}
	info, err := file.Stat()
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return &backupFile{File: file, size: info.Size()}, nil
}

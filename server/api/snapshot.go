package api

import (
	"context"
	"crypto/sha256"
	"io"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
)

// snapshotChunkBytes are sent in one message, as etcd does.
const snapshotChunkBytes = 32 << 10

// Backup is a database of etcd's format with the state of one moment.
type Backup interface {
	io.ReadCloser
	// Size in bytes, a multiple of 512: clients count on it.
	Size() int64
}

// SnapshotConn takes the pieces of a backup.
type SnapshotConn interface {
	Context() context.Context
	Send(*pb.SnapshotResponse) error
}

// Snapshot streams a database that etcdutl and `holdfast import` take, and then
// its SHA-256. It shows what this member has applied; learners serve it too.
func (s *Service) Snapshot(_ *pb.SnapshotRequest, conn SnapshotConn) (err error) {
	backup, err := s.backend.Backup(conn.Context())
	if err != nil {
		return ToGRPC(err)
	}
	defer func() {
		if closeErr := backup.Close(); err == nil {
			err = ToGRPC(closeErr)
		}
	}()
	hash := sha256.New()
	for left := backup.Size(); left > 0; {
		chunk := make([]byte, min(left, snapshotChunkBytes))
		if _, err := io.ReadFull(backup, chunk); err != nil {
			return ToGRPC(err)
		}
		hash.Write(chunk)
		left -= int64(len(chunk))
		if err := conn.Send(&pb.SnapshotResponse{RemainingBytes: uint64(left), Blob: chunk, Version: StorageVersion}); err != nil {
			return err
		}
	}
	return conn.Send(&pb.SnapshotResponse{Blob: hash.Sum(nil), Version: StorageVersion})
}

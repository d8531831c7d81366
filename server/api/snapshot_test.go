package api

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"testing"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"

	"github.com/holdfast-db/holdfast/server/replica"
)

type fakeBackup struct {
	io.Reader
	size   int64
	closed int
}

func (b *fakeBackup) Size() int64  { return b.size }
func (b *fakeBackup) Close() error { b.closed++; return nil }

type snapshotConn struct {
	sent []*pb.SnapshotResponse
	fail error
}

func (c *snapshotConn) Context() context.Context { return bg }

func (c *snapshotConn) Send(r *pb.SnapshotResponse) error {
	c.sent = append(c.sent, r)
	return c.fail
}

// A snapshot comes in chunks that count down, and ends with its SHA-256, which
// Go's client and etcdctl check the length by.
func TestSnapshot(t *testing.T) {
	b := newFake(t)
	content := bytes.Repeat([]byte("0123456789abcdef"), 5<<10) // two and a half chunks
	backup := &fakeBackup{Reader: bytes.NewReader(content), size: int64(len(content))}
	b.backup = backup
	conn := &snapshotConn{}
	if err := NewService(b).Snapshot(nil, conn); err != nil {
		t.Fatal(err)
	}
	var got []byte
	for i, r := range conn.sent {
		got = append(got, r.Blob...)
		if want := max(len(content)-len(got), 0); r.RemainingBytes != uint64(want) || r.Version != StorageVersion {
			t.Errorf("message %d: %d left, want %d; version %q", i, r.RemainingBytes, want, r.Version)
		}
	}
	sum := sha256.Sum256(content)
	if !bytes.Equal(got, append(content, sum[:]...)) || len(conn.sent) != 4 || backup.closed != 1 {
		t.Errorf("%d bytes in %d messages, closed %d times", len(got), len(conn.sent), backup.closed)
	}
}

func TestSnapshotFails(t *testing.T) {
	b := newFake(t)
	gone := errors.New("the client is gone")
	for name, tt := range map[string]struct {
		content string
		conn    snapshotConn
		fail    error
		want    error
	}{
		"no backup": {fail: replica.ErrStopped, want: rpctypes.ErrGRPCStopped},
		"too short": {content: "abc", want: errInternal},
		"no client": {content: "abcdefgh", conn: snapshotConn{fail: gone}, want: gone},
	} {
		backup := &fakeBackup{Reader: bytes.NewReader([]byte(tt.content)), size: 8}
		b.backup, b.fail = backup, tt.fail
		if err := NewService(b).Snapshot(nil, &tt.conn); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, want %v", name, err, tt.want)
		}
		if open := tt.fail == nil && backup.closed != 1; open {
			t.Errorf("%s: the backup was closed %d times", name, backup.closed)
		}
	}
}

package wal

import (
	"path"
	"testing"

	"github.com/holdfast-db/holdfast/internal/disk"
	"github.com/holdfast-db/holdfast/raft"
)

// TestLaterBatchIsAWitness: where a batch reads as zeros and super knows nothing
// of it yet, only the batches behind it tell that it had been there. Zeros are
// not the end of the log (etcd 3.7.1 takes them for it).
func TestLaterBatchIsAWitness(t *testing.T) {
	for _, count := range []int{1, 3} {
		s := &scene{fs: disk.NewMem()}
		s.o = testOptions(s.fs)
		s.o.SegmentBytes = sceneSegmentBytes
		mustCreate(t, s.o)
		l, _ := mustOpen(t, s.o)
		for i := raft.Index(1); i <= 20; i++ {
			e := entry(i, 1, 700)
			appendEntries(t, l, []raft.Entry{e})
			s.entries = append(s.entries, e)
		}
		at := l.state.spans[9].at
		if floor := l.super.floor.At; at.Before(floor) {
			t.Fatalf("super vouches for all up to %v, the batch is at %v", floor, at)
		}
		s.fs.Kill()
		must(t, s.fs.Zero(path.Join(testDir, segmentName(at.Seq)), at.Offset(), int64(count)*blockBytes))
		if verdict, corrupt := s.verdict(t); corrupt == nil {
			t.Errorf("%d blocks of zeros: %s, want a refusal", count, verdict)
		}
	}
}

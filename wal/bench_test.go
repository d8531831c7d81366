package wal

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/holdfast-db/holdfast/internal/disk"
	"github.com/holdfast-db/holdfast/raft"
)

// BenchmarkAppend writes batches to a real disk, as the log actor does. Besides
// the mean it gives percentiles of a whole Append and the syncs that it took.
func BenchmarkAppend(b *testing.B) {
	for _, records := range []int{1, 64, 512} {
		for _, policy := range []string{"group", "none"} {
			b.Run(fmt.Sprintf("sync=%s/records=%d/entry=256", policy, records), func(b *testing.B) {
				benchmarkAppend(b, policy, records)
			})
		}
	}
}

func benchmarkAppend(b *testing.B, policy string, records int) {
	p, err := ParsePolicy(policy)
	must(b, err)
	o := Options{FS: disk.OS{}, Dir: b.TempDir() + "/wal", Salt: counter(1), Policy: p}
	mustCreate(b, o)
	l, _ := mustOpen(b, o)
	must(b, l.RunJobs())
	batch := entries(1, raft.Index(records), 1, 256)
	took := make([]time.Duration, 0, b.N)
	b.SetBytes(int64(records) * 256)
	for b.Loop() {
		last := l.state.last.Index
		for i := range batch {
			batch[i].Index = last + 1 + raft.Index(i)
			batch[i].CRC = raft.EntryCRC(batch[i])
		}
		start := time.Now()
		must(b, l.Append(&raft.Persist{HardState: raft.HardState{Term: 1}, Entries: batch, MustSync: true}))
		took = append(took, time.Since(start))
		b.StopTimer()
		if l.state.last.Index > 200_000 {
			must(b, l.Compact(raft.SnapshotMeta{Last: l.state.last}, l.state.last.Index+1))
		}
		must(b, l.RunJobs())
		b.StartTimer()
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Microseconds()), "p50-µs")
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds()), "p99-µs")
	b.ReportMetric(float64(l.Stats().Syncs)/float64(len(took)), "syncs/op")
	must(b, l.Close())
}

// TestBenchmarkRuns keeps the benchmark from rotting.
func TestBenchmarkRuns(t *testing.T) {
	dir := t.TempDir() + "/wal"
	o := Options{FS: disk.OS{}, Dir: dir, Salt: counter(1), SegmentBytes: 256 << 10}
	mustCreate(t, o)
	l, _ := mustOpen(t, o)
	all := entries(1, 640, 1, 256)
	for i := 0; i < len(all); i += 64 {
		appendEntries(t, l, all[i:i+64])
		must(t, l.RunJobs())
	}
	must(t, l.Close())
	l, rec := mustOpen(t, o)
	if rec.Last != 640 {
		t.Fatalf("recovered %s", brief(rec))
	}
	wantEntries(t, l, all)
	must(t, l.Close())
}

// TestAppendDoesNotAllocate: beyond the first call the hot path reuses its
// buffer; what is left are the books (spans, which grow by doubling).
func TestAppendDoesNotAllocate(t *testing.T) {
	o := Options{FS: discard{disk.NewMem()}, Dir: testDir, Salt: counter(1)}
	mustCreate(t, o)
	l, _ := mustOpen(t, o)
	batch := entries(1, 64, 1, 256)
	p := &raft.Persist{HardState: raft.HardState{Term: 1}, Entries: batch, MustSync: true}
	must(t, l.Append(p))
	per := testing.AllocsPerRun(100, func() {
		last := l.state.last.Index
		for i := range batch {
			batch[i].Index = last + 1 + raft.Index(i)
		}
		must(t, l.Append(p))
	})
	if per > 2 {
		t.Errorf("%v allocations an append", per)
	}
}

// discard is a disk whose segments swallow writes without keeping them.
type discard struct{ disk.FS }

func (d discard) Create(name string) (disk.File, error) {
	f, err := d.FS.Create(name)
	return discardFile{f}, err
}

type discardFile struct{ disk.File }

func (f discardFile) WriteAt(p []byte, off int64) (int, error) {
	if len(p) > 2*blockBytes {
		return len(p), nil
	}
	return f.File.WriteAt(p, off)
}

func (f discardFile) SyncData() error { return nil }

package mvcc_test

import (
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/holdfast-db/holdfast/mvcc"
)

// benchKeys is the size of the stores here; -short makes them small.
func benchKeys(b *testing.B) int {
	if testing.Short() {
		return 10_000
	}
	return 1_000_000
}

// spread makes 32-byte keys that come in no order.
func spread(i int) []byte {
	return fmt.Appendf(nil, "%016x%016x", uint64(i)*0x9e3779b97f4a7c15, i)
}

func filled(b *testing.B, n int) *mvcc.Store {
	b.Helper()
	s := mvcc.NewStore(mvcc.Options{})
	value := make([]byte, 256)
	for i := range n {
		if _, err := s.Put(&mvcc.PutRequest{Key: spread(i), Value: value}, nil); err != nil {
			b.Fatal(err)
		}
	}
	return s
}

func BenchmarkMemory(b *testing.B) {
	n := benchKeys(b)
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	s := filled(b, n)
	runtime.GC()
	start := time.Now()
	runtime.GC()
	gc := time.Since(start)
	runtime.ReadMemStats(&after)
	for b.Loop() { // the loop clears metrics that were reported before it
		runtime.KeepAlive(s)
	}
	b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/float64(n), "B/key")
	b.ReportMetric(float64(gc.Microseconds())/1000, "ms/gc")
}

func BenchmarkPut(b *testing.B) {
	n := benchKeys(b)
	s := filled(b, n)
	value := make([]byte, 256)
	for _, views := range []int{0, 100, 1} {
		b.Run(fmt.Sprintf("view=%d", views), func(b *testing.B) {
			i := 0
			for b.Loop() {
				_, _ = s.Put(&mvcc.PutRequest{Key: spread(i * 7919 % n), Value: value}, nil)
				if i++; views > 0 && i%views == 0 {
					s.View()
				}
			}
		})
	}
}

func BenchmarkRange(b *testing.B) {
	n := benchKeys(b)
	s := filled(b, n)
	for i := range 100 {
		_, _ = s.Put(&mvcc.PutRequest{Key: spread(i * 7919 % n), Value: []byte("x")}, nil)
	}
	v := s.View()
	all := mvcc.RangeRequest{Key: []byte{0}, End: []byte{0}}
	for name, change := range map[string]func(*mvcc.RangeRequest){
		"one":       func(q *mvcc.RangeRequest) { q.Key, q.End = spread(77), nil },
		"limit10":   func(q *mvcc.RangeRequest) { q.Limit = 10 },
		"limit10at": func(q *mvcc.RangeRequest) { q.Limit, q.Revision = 10, v.Revision()-100 },
		"count":     func(q *mvcc.RangeRequest) { q.CountOnly = true },
		"all":       func(*mvcc.RangeRequest) {},
	} {
		b.Run(name, func(b *testing.B) {
			q := all
			change(&q)
			for b.Loop() {
				if _, err := v.Range(&q); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkHashKV(b *testing.B) {
	s := filled(b, benchKeys(b))
	_ = s.Compact(s.Revision() / 2)
	v := s.View()
	for b.Loop() {
		if _, _, _, err := v.HashKV(0); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkSnapshot(b *testing.B) {
	s := filled(b, benchKeys(b))
	v := s.View()
	b.Run("export", func(b *testing.B) {
		for b.Loop() {
			_ = v.Export(func(mvcc.Record) error { return nil })
		}
	})
	b.Run("load", func(b *testing.B) {
		meta := v.Exporter().Meta()
		var recs []mvcc.Record
		_ = v.Export(func(r mvcc.Record) error { recs = append(recs, r); return nil })
		for b.Loop() {
			if _, err := load(meta, recs); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkCompactStep reports the longest slice of 1,000 records while half of
// a store's history is compacted.
func BenchmarkCompactStep(b *testing.B) {
	n := benchKeys(b)
	s := filled(b, n)
	value := make([]byte, 256)
	for i := range n {
		_, _ = s.Put(&mvcc.PutRequest{Key: spread(i * 7919 % n), Value: value}, nil)
	}
	if err := s.Compact(s.Revision()); err != nil {
		b.Fatal(err)
	}
	var longest, total time.Duration
	for done := false; !done; {
		start := time.Now()
		done = s.CompactStep(1000)
		longest = max(longest, time.Since(start))
		total += time.Since(start)
	}
	for b.Loop() {
		s.CompactStep(1)
	}
	b.ReportMetric(float64(longest.Microseconds())/1000, "ms/longest")
	b.ReportMetric(float64(total.Milliseconds()), "ms/all")
}

// BenchmarkPublish delivers one event to many watchers of its key.
func BenchmarkPublish(b *testing.B) {
	for _, watchers := range []int{1, 10_000} {
		b.Run(fmt.Sprintf("watchers=%d", watchers), func(b *testing.B) {
			s := mvcc.NewStore(mvcc.Options{})
			h := mvcc.NewHub(s, mvcc.HubOptions{})
			for i := range watchers {
				id := mvcc.StreamID(i % 100)
				if i < 100 {
					h.Open(id)
					h.Grant(id, mvcc.Credit{Responses: 1 << 40, Bytes: 1 << 50})
				}
				h.Create(id, &mvcc.WatchRequest{Key: []byte("k"), ID: mvcc.AutoWatchID})
			}
			got := 0
			for b.Loop() {
				_, _ = s.Put(&mvcc.PutRequest{Key: []byte("k"), Value: []byte("v")}, nil)
				h.Publish(func(_ mvcc.StreamID, rs []mvcc.WatchResponse) { got += len(rs) })
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(got), "ns/event")
		})
	}
}

// BenchmarkCatchUp reads a history of small puts from its beginning.
func BenchmarkCatchUp(b *testing.B) {
	const events = 100_000
	s := mvcc.NewStore(mvcc.Options{})
	for i := range events {
		_, _ = s.Put(&mvcc.PutRequest{Key: spread(i % 1000), Value: []byte("v")}, nil)
	}
	h := mvcc.NewHub(s, mvcc.HubOptions{})
	h.Open(1)
	h.Grant(1, mvcc.Credit{Responses: 1 << 40, Bytes: 1 << 50})
	got := 0
	emit := func(_ mvcc.StreamID, rs []mvcc.WatchResponse) {
		for _, r := range rs {
			got += len(r.Events)
		}
	}
	for b.Loop() {
		got = 0
		h.Create(1, &mvcc.WatchRequest{Key: []byte{0}, End: []byte{0}, StartRevision: 2, ID: 0, PrevKV: true})
		for h.Step(1000, emit) {
		}
		if got != events {
			b.Fatalf("%d events of %d", got, events)
		}
		h.Cancel(1, 0)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/events, "ns/event")
}

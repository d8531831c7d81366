package state

import (
	"fmt"
	"testing"

	"github.com/holdfast-db/holdfast/mvcc"
)

// BenchmarkApply applies entries of puts, as a follower (nobody waits) and as
// the member that answers.
func BenchmarkApply(b *testing.B) {
	for _, batch := range []int{1, 64} {
		for _, answered := range []bool{false, true} {
			b.Run(fmt.Sprintf("batch=%d/answered=%v", batch, answered), func(b *testing.B) { benchmarkApply(b, batch, answered) })
		}
	}
}

func benchmarkApply(b *testing.B, size int, answered bool) {
	s := New(Options{})
	var reply func(RequestID, *Result)
	if answered {
		reply = func(RequestID, *Result) {}
	}
	var batch []Encoded
	var data []byte
	seq := uint64(0)
	b.ReportAllocs()
	b.ResetTimer()
	for n := 0; n < b.N; n += size {
		b.StopTimer()
		batch = batch[:0]
		for range size {
			seq++
			body := AppendBody(nil, &mvcc.PutRequest{Key: fmt.Appendf(nil, "key-%028d", mix(1, seq)%1_000_000), Value: make([]byte, 256)})
			batch = append(batch, Encoded{ID: RequestID{Member: 1, Incarnation: 1, Boot: 1, Seq: seq}, Term: 1, Body: body})
		}
		data = AppendBatch(data[:0], batch)
		b.StartTimer()
		if err := s.Apply(s.applied+1, 1, data, reply); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkEncode is what a request costs before it meets the core, and its
// share of joining a batch.
func BenchmarkEncode(b *testing.B) {
	p := &mvcc.PutRequest{Key: make([]byte, 32), Value: make([]byte, 256)}
	p.Key[0] = 1
	batch := make([]Encoded, 64)
	var dst []byte
	b.ReportAllocs()
	for n := range b.N {
		body, err := EncodeBody(p)
		if err != nil {
			b.Fatal(err)
		}
		batch[n%64] = Encoded{ID: RequestID{Member: 1, Incarnation: 1, Boot: 1, Seq: uint64(n + 1)}, Body: body}
		if n%64 == 63 {
			dst = AppendBatch(dst[:0], batch)
		}
	}
}

func BenchmarkHash(b *testing.B) {
	f := newFixture(b)
	for range 1000 {
		f.must(put("k", "v", 0))
	}
	b.ResetTimer()
	for range b.N {
		f.Hash()
	}
}

func BenchmarkView(b *testing.B) {
	f := newFixture(b)
	f.must(&LeaseGrantRequest{ID: 7, TTL: 60})
	for i := range 1000 {
		f.must(put(fmt.Sprint(i), "v", 7))
	}
	b.ReportAllocs()
	b.ResetTimer()
	for range b.N {
		f.view = nil
		f.View()
	}
}

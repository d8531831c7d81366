package sim

import "testing"

// BenchmarkRun lives through one world after another, all checks on. It tells
// simulated seconds and operations a second of one core: of two, twice that.
func BenchmarkRun(b *testing.B) {
	b.ReportAllocs()
	var virtual, ops int64
	for i := range b.N {
		r := Run(Options{Seed: uint64(i + 1), Porcupine: true})
		if r.Failure != nil {
			b.Fatalf("seed %d: %v", r.Seed, r.Failure)
		}
		virtual += r.Virtual
		ops += r.Count[CountOps]
	}
	wall := b.Elapsed().Seconds()
	b.ReportMetric(float64(virtual)/float64(second)/wall, "×real")
	b.ReportMetric(float64(ops)/wall, "ops/s")
	b.ReportMetric(float64(ops)/(float64(virtual)/float64(second)), "ops/simulated-s")
}

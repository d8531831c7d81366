package sim

import (
	"math"
	"math/rand/v2"
)

// Virtual time is counted in microseconds.
const (
	microsecond int64 = 1
	millisecond       = 1000 * microsecond
	second            = 1000 * millisecond
)

// draw is a stream of random decisions. Each part of the world has a stream of
// its own, so that one more draw in the network leaves the workload as it was:
// that keeps a failing seed failing while the code around it changes a little.
type draw struct{ *rand.Rand }

func newDraw(seed uint64, stream string) draw {
	h := uint64(14695981039346656037) // FNV-1a of the stream's name
	for _, c := range []byte(stream) {
		h = (h ^ uint64(c)) * 1099511628211
	}
	return draw{rand.New(rand.NewPCG(seed, h))}
}

// chance is true with the given probability in parts per million.
func (d draw) chance(ppm int) bool { return ppm > 0 && d.IntN(1_000_000) < ppm }

// percent is chance in hundredths.
func (d draw) percent(p int) bool { return d.IntN(100) < p }

// between draws uniformly from [lo, hi].
func (d draw) between(lo, hi int64) int64 {
	if hi <= lo {
		return lo
	}
	return lo + d.Int64N(hi-lo+1)
}

// around draws from an exponential distribution with the given mean, cut at
// twenty times the mean so that no event falls out of the run.
func (d draw) around(mean int64) int64 {
	x := -math.Log(1-d.Float64()) * float64(mean)
	return int64(min(x, 20*float64(mean)))
}

// pick returns one of the values.
func pick[T any](d draw, values ...T) T { return values[d.IntN(len(values))] }

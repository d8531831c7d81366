// Package fuzz makes fuzz targets of properties that package rapid tests: the
// fuzzer then looks for inputs by the code that they reach, where rapid draws
// blindly. Only tests import it.
//
// An input is the stream of random numbers, 8 bytes each, that the property draws
// from. It ends early where the bytes do: what was done until then was checked.
package fuzz

import (
	"math/rand/v2"
	"testing"

	"pgregory.net/rapid"
)

const (
	seeds = 4
	// seedBytes are some five hundred draws.
	seedBytes = 4 << 10
)

// Model is the body of a target that runs property. Beside the kept corpus it
// begins with inputs of random bytes, which a fuzzer that begins with none would
// take long to grow.
func Model(f *testing.F, property func(*rapid.T)) {
	for seed := range uint64(seeds) {
		f.Add(Bytes(seed, seedBytes))
	}
	f.Fuzz(rapid.MakeFuzz(property))
}

// Bytes are n random bytes, the same for the same seed.
func Bytes(seed uint64, n int) []byte {
	rng := rand.New(rand.NewPCG(seed, 1))
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(rng.Uint32())
	}
	return b
}

// Source draws numbers from bytes, and goes on with random ones when they end, so
// that no draw can hang. The fuzzer sees what a byte did: each makes one number.
type Source struct {
	Left []byte
	rest *rand.PCG
}

// NewSource draws from b.
func NewSource(b []byte) *Source { return &Source{Left: b, rest: rand.NewPCG(1, 1)} }

// Uint64 implements rand.Source.
func (s *Source) Uint64() uint64 {
	n := s.rest.Uint64()
	if len(s.Left) > 0 {
		n = n>>8 | uint64(s.Left[0])<<56
		s.Left = s.Left[1:]
	}
	return n
}

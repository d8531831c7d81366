package main

import "testing"

func TestGCPercent(t *testing.T) {
	for live, want := range map[uint64]int{
		0: gcPercentMax, 1 << 20: gcPercentMax, 64 << 20: 100, 320 << 20: 20, 64 << 30: gcPercentMin,
	} {
		if got := gcPercent(live); got != want {
			t.Errorf("%d MiB live: %d, want %d", live>>20, got, want)
		}
	}
}

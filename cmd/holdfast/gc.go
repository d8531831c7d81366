package main

import (
	"os"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

// Go lets the heap grow in proportion to what is live. A member's live heap is
// its data, and doubling that is a waste: most of it is chunks without pointers,
// which cost next to nothing to collect. For a small heap the same rule collects
// far too often. So the room is given in bytes.
const (
	gcRoomBytes  = 64 << 20
	gcPercentMin = 10
	gcPercentMax = 2000
	gcPeriod     = time.Second
)

// tuneGC keeps the collector's room at gcRoomBytes until stop is closed, unless
// GOGC says otherwise.
func tuneGC(stop <-chan struct{}) {
	if os.Getenv("GOGC") != "" {
		return
	}
	current := gcPercent(0)
	debug.SetGCPercent(current)
	ticker := time.NewTicker(gcPeriod)
	defer ticker.Stop()
	live := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	for {
		select {
		case <-stop:
			return
		case <-ticker.C:
		}
		metrics.Read(live)
		// Setting it stops the world for a moment: only for a real change.
		if next := gcPercent(live[0].Value.Uint64()); next*5 < current*4 || next*4 > current*5 {
			current = next
			debug.SetGCPercent(current)
		}
	}
}

// gcPercent is the GOGC that leaves gcRoomBytes above a live heap.
func gcPercent(live uint64) int {
	if live == 0 {
		return gcPercentMax
	}
	return int(min(max(gcRoomBytes*100/live, gcPercentMin), gcPercentMax))
}

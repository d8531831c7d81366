package testdisk

import (
	"sync"
	"time"
)

// dice decides what of the data that waits reaches the disk early, and which syncs stand still. It has a lock of its
// own, so that no write waits for another file's sync.
type dice struct {
	o  VolatileOptions
	mu sync.Mutex // of o.Rand
}

// chance draws; the caller holds d.mu.
func (d *dice) chance(thousandths int) bool {
	return d.o.Rand != nil && d.o.Rand.IntN(1000) < thousandths
}

// names decides how many of the changes of names that wait become durable now.
func (d *dice) names(waiting int) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.chance(d.o.WriteBack) {
		return 0
	}
	return 1 + d.o.Rand.IntN(waiting)
}

// tear decides how long the next sync stands still half-way.
func (d *dice) tear() time.Duration {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.chance(d.o.Tear) {
		return d.o.TearPause
	}
	return 0
}

// writeBack decides whether a write is followed by writing back; nil for not. The function that it returns draws the
// sectors of one page, a bit each.
func (d *dice) writeBack() func() uint8 {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.chance(d.o.WriteBack) {
		return nil
	}
	bits := d.o.Rand.Uint64()
	return func() uint8 { // a cheap generator (Knuth's MMIX) for a file's many pages, without the lock
		bits = bits*6364136223846793005 + 1442695040888963407
		if bits>>63 == 0 {
			return 0
		}
		return uint8(bits >> 32)
	}
}

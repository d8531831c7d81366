package testdisk

import (
	crand "crypto/rand"
	"encoding/binary"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/holdfast-db/holdfast/internal/disk"
)

// How a disk that loses its power treats what was not synced. A sync stands still for longer than a kill takes, and
// seldom enough not to be felt.
const (
	writeBackThousandths = 30
	tearThousandths      = 15
	tearPause            = 4 * time.Millisecond
)

// Parse wraps a disk as a specification says, words separated by commas:
//
//	powerloss       what was not synced is lost with the process (Volatile)
//	slow=20ms       each sync takes so much longer
//	stall           syncs don't return
//	write-eio, sync-eio, eio, full
//	                writes fail, syncs fail, both, or the disk is full
//	control=PATH    a file with the conditions of now, in the same words; without it those above hold
func Parse(spec string, base disk.FS) (disk.FS, error) {
	var preset Condition
	control, powerloss := "", false
	for word := range strings.SplitSeq(spec, ",") {
		word = strings.TrimSpace(word)
		if path, ok := strings.CutPrefix(word, "control="); ok {
			control = path
			continue
		}
		if word == "powerloss" {
			powerloss = true
			continue
		}
		if err := preset.set(word); err != nil {
			return nil, err
		}
	}
	if powerloss {
		base = NewVolatile(base, VolatileOptions{
			Rand: newRand(), WriteBack: writeBackThousandths, Tear: tearThousandths, TearPause: tearPause,
		})
	}
	return NewFaulty(base, preset, control), nil
}

// newRand is seeded by the machine: when a kill hits can't be repeated anyway.
func newRand() *rand.Rand {
	var seed [16]byte
	_, _ = crand.Read(seed[:]) // never fails (crypto/rand)
	return rand.New(rand.NewPCG(binary.LittleEndian.Uint64(seed[:8]), binary.LittleEndian.Uint64(seed[8:])))
}

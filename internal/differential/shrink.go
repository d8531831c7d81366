package differential

import (
	"context"
	"time"
)

// Replay does steps in order and returns the first difference.
func (p *Pair) Replay(ctx context.Context, steps []Step) *Difference {
	for _, s := range steps {
		if _, d := p.Do(ctx, s); d != nil {
			return d
		}
	}
	return nil
}

// Overtaken returns what closes the streams on which compaction canceled a watcher: etcd keeps the id of such a
// watcher until the stream ends, Holdfast forgets it, and a step that meets it would be answered differently.
func (p *Pair) Overtaken() (closes []Step) {
	for id := range streams {
		if w := p.etcd.streams[id]; w != nil && w.canceledByCompaction() {
			closes = append(closes, CloseWatch{id})
		}
	}
	return closes
}

// Shrink looks for a shorter run that ends in a difference, by leaving out steps: first halves, then smaller pieces.
// It is greedy and stops after limit; replay runs steps on fresh servers. The last step always stays, and any
// difference will do: the shortest way to see one is what matters.
func Shrink(steps []Step, d *Difference, limit time.Duration, replay func([]Step) *Difference) ([]Step, *Difference) {
	deadline := time.Now().Add(limit)
	for size := len(steps) / 2; size > 0; size = min(size/2, len(steps)/2) {
		for from := 0; from+size < len(steps); {
			if time.Now().After(deadline) {
				return steps, d
			}
			without := append(append([]Step(nil), steps[:from]...), steps[from+size:]...)
			if found := replay(without); found != nil {
				steps, d = without, found
			} else {
				from += size
			}
		}
	}
	return steps, d
}

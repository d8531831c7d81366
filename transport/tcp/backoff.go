package tcp

import (
	"context"
	"time"
)

// backoff spaces the dials to a member that can't be reached: exponentially,
// with jitter, so that members which lost one peer together don't come back
// together.
type backoff struct {
	min, max, next time.Duration
	jitter         func() float64
}

func newBackoff(c *Config) *backoff {
	return &backoff{min: c.BackoffMin, max: c.BackoffMax, next: c.BackoffMin, jitter: c.Jitter}
}

func (b *backoff) reset() { b.next = b.min }

// draw returns the next wait, from [next/2, next), and doubles next.
func (b *backoff) draw() time.Duration {
	wait := b.next/2 + time.Duration(b.jitter()*float64(b.next/2))
	b.next = min(2*b.next, b.max)
	return wait
}

// wait sleeps for the next wait, or until wake has something: then the member
// gave a sign of life, and dialling starts afresh. It returns false if ctx ended.
func (b *backoff) wait(ctx context.Context, wake <-chan struct{}) bool {
	timer := time.NewTimer(b.draw())
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-wake:
		b.reset()
	case <-timer.C:
	}
	return ctx.Err() == nil
}

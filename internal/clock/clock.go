// Package clock is the seam between Holdfast and time.
//
// Only drivers read a clock: to pace ticks, to stamp logs and histories. The
// deterministic packages never do; time reaches them as tick events. So a
// stepped or frozen clock can delay a cluster but cannot make it lie.
package clock

import "time"

// Clock tells the time. Times carry a monotonic reading, so differences are
// immune to wall-clock steps.
type Clock interface {
	Now() time.Time
}

// OS is the machine's clock.
type OS struct{}

// Now returns time.Now.
func (OS) Now() time.Time { return time.Now() }

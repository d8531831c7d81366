package torture

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/holdfast-db/holdfast/internal/proc"
)

const (
	askEvery    = 100 * time.Millisecond // how often each member is asked how it is
	sampleEvery = 250 * time.Millisecond
)

// Sample is what was seen at a moment.
type Sample struct {
	At     time.Duration `json:"at_ns"`
	Acks   int64         `json:"acknowledged_writes"` // since the start of the run
	Leader int           `json:"leader"`              // index of the member that leads, −1 for none that is known
	Term   uint64        `json:"term"`                // the highest that was seen
}

// observer asks all members how they are, all the time. Methods may be called from several goroutines.
type observer struct {
	members []*proc.Member
	clients *clients
	acks    *atomic.Int64
	now     func() int64

	mu        sync.Mutex
	leads     []uint64 // by member: the term that it leads, as it last said; 0 if it doesn't
	term      uint64   // highest seen
	first     uint64   // the term of the first answer
	elections int      // terms in which a leader was seen
	led       map[uint64]bool
	samples   []Sample
}

func newObserver(members []*proc.Member, c *clients, acks *atomic.Int64, now func() int64) *observer {
	return &observer{members: members, clients: c, acks: acks, now: now, leads: make([]uint64, len(members)), led: map[uint64]bool{}}
}

// run asks and samples until ctx ends.
func (o *observer) run(ctx context.Context) {
	var wg sync.WaitGroup
	for i := range o.members {
		wg.Go(func() {
			for ctx.Err() == nil {
				o.ask(ctx, i)
				pause(ctx, askEvery)
			}
		})
	}
	tick := time.NewTicker(sampleEvery)
	defer tick.Stop()
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case <-tick.C:
			o.sample()
		}
	}
	wg.Wait()
}

func (o *observer) ask(ctx context.Context, i int) {
	ctx, cancel := context.WithTimeout(ctx, 300*time.Millisecond)
	defer cancel()
	status, err := o.clients.admin(i).Status(ctx, o.members[i].ClientURL)
	o.mu.Lock()
	defer o.mu.Unlock()
	o.leads[i] = 0
	if err != nil {
		return
	}
	if o.first == 0 {
		o.first = status.RaftTerm
	}
	o.term = max(o.term, status.RaftTerm)
	if status.Leader == status.Header.MemberId {
		o.leads[i] = status.RaftTerm
	}
	if status.Leader != 0 && !o.led[status.RaftTerm] {
		o.led[status.RaftTerm] = true
		o.elections++
	}
}

func (o *observer) sample() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.samples = append(o.samples, Sample{At: time.Duration(o.now()), Acks: o.acks.Load(), Leader: o.leaderLocked(), Term: o.term})
}

// leader is the member that leads as far as is known, −1 for none: of two that say so the one of the later term.
func (o *observer) leader() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.leaderLocked()
}

func (o *observer) leaderLocked() int {
	best := -1
	for i, term := range o.leads {
		if term > 0 && (best < 0 || term > o.leads[best]) {
			best = i
		}
	}
	return best
}

// seen returns how many terms had a leader that somebody named, and how far terms went.
func (o *observer) seen() (elections int, first, term uint64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.elections, o.first, o.term
}

// since returns the samples from a moment on.
func (o *observer) since(at time.Duration) []Sample {
	o.mu.Lock()
	defer o.mu.Unlock()
	i := len(o.samples)
	for i > 0 && o.samples[i-1].At >= at {
		i--
	}
	return append([]Sample(nil), o.samples[i:]...)
}

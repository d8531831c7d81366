package torture

import (
	"maps"
	"slices"
	"sync"
	"time"
)

// Event is something that was done to the cluster.
type Event struct {
	Round   int           `json:"round"`
	At      time.Duration `json:"at_ns"`    // since the start of the run
	Until   time.Duration `json:"until_ns"` // when it was mended; At for what has no length
	Kind    string        `json:"kind"`     // such as "kill leader"
	Members []string      `json:"members,omitempty"`
	Detail  string        `json:"detail,omitempty"`
}

// Counts are events by kind.
type Counts map[string]int

// Total is the number of events.
func (c Counts) Total() (sum int) {
	for _, n := range c {
		sum += n
	}
	return sum
}

func (c Counts) add(o Counts) {
	for kind, n := range o {
		c[kind] += n
	}
}

// kinds are in a stable order: as a table lists them.
func (c Counts) kinds() []string { return slices.Sorted(maps.Keys(c)) }

// journal collects events. Methods may be called from several goroutines.
type journal struct {
	now   func() int64 // nanoseconds since the start of the run
	round int

	mu     sync.Mutex
	events []Event
}

// begin notes an event; the function that it returns notes that it was mended.
func (j *journal) begin(kind, detail string, members ...string) (end func()) {
	at := time.Duration(j.now())
	j.mu.Lock()
	defer j.mu.Unlock()
	i := len(j.events)
	j.events = append(j.events, Event{Round: j.round, At: at, Until: at, Kind: kind, Members: members, Detail: detail})
	return func() {
		until := time.Duration(j.now())
		j.mu.Lock()
		defer j.mu.Unlock()
		j.events[i].Until = until
	}
}

// all returns a copy of the events so far.
func (j *journal) all() []Event {
	j.mu.Lock()
	defer j.mu.Unlock()
	return slices.Clone(j.events)
}

func count(events []Event) Counts {
	c := Counts{}
	for _, e := range events {
		c[e.Kind]++
	}
	return c
}

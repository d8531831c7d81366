package replica

import (
	"testing"

	"github.com/holdfast-db/holdfast/mvcc"
	"github.com/holdfast-db/holdfast/server/state"
)

// tickOne lets time pass for one actor only, as when the other is too busy to
// take its ticks and they are dropped.
func (c *cluster) tickOne(m *member, to ActorID, n int) {
	for range n {
		m.queue = append(m.queue, TickEvent{to})
		c.settle()
	}
}

// The actors' clocks drift apart over a process's life. Deadlines and leases
// mean the same whichever of them is ahead.
func TestActorClocksDrift(t *testing.T) {
	for _, ahead := range []ActorID{ToCore, ToApply} {
		c := newCluster(t, 1, nil)
		m := c.leader()
		// The single voter stays leader however fast its clock runs.
		c.tickOne(m, ahead, 1000)

		grant(c, m, 7, 5)
		if r := m.ask(write(&mvcc.PutRequest{Key: []byte("a"), Value: []byte("1"), Lease: 7})); r.Err != nil {
			t.Fatalf("actor %d ahead: put: %v", ahead, r.Err)
		}
		c.tick(40)
		if r := m.ask(&Request{Kind: KeepAlive, Lease: 7}); r.Err != nil || r.TTL != 5 {
			t.Fatalf("actor %d ahead: keep-alive: %+v", ahead, r)
		}
		c.tick(45)
		if got := m.get("a"); got != "1" {
			t.Errorf("actor %d ahead: the lease ended before its time", ahead)
		}
		c.tick(10)
		if got := m.get("a"); got != "" {
			t.Errorf("actor %d ahead: the lease outlived its time", ahead)
		}
	}
}

// A request's deadline is counted by whichever actor has it, from when it came.
func TestDeadlinesWhileClocksDrift(t *testing.T) {
	for _, ahead := range []ActorID{ToCore, ToApply} {
		c := newCluster(t, 1, nil)
		m := c.leader()
		c.tickOne(m, ahead, 1000)
		r := write(&state.LeaseGrantRequest{ID: 1, TTL: 5})
		answers := 0
		r.Done = func(Reply) { answers++ }
		var out Output
		m.r.Core.Step(SubmitEvent{Requests: []*Request{r}}, &out)
		m.r.Core.Flush(&out)
		for _, ev := range out.Events {
			if _, ok := ev.(registerEvent); ok {
				m.step(ev) // and the write goes nowhere
			}
		}
		c.tickOne(m, ToApply, 69)
		if answers != 0 {
			t.Errorf("actor %d ahead: answered before its deadline", ahead)
		}
		c.tickOne(m, ToApply, 1)
		if answers != 1 {
			t.Errorf("actor %d ahead: %d answers at its deadline", ahead, answers)
		}
	}
}

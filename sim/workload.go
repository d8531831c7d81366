package sim

import (
	"errors"

	"github.com/holdfast-db/holdfast/linearizability"
	"github.com/holdfast-db/holdfast/mvcc"
	"github.com/holdfast-db/holdfast/raft"
)

// errConnectionLost is what a client sees when the process that it talks to ends.
var errConnectionLost = errors.New("sim: connection lost")

// workload is all clients and watchers of a run.
type workload struct {
	w       *World
	clients []*client
	streams []*watchStream
	leases  *leaseBook
	ops     []*op
	watches []*linearizability.Watch
	// told is the largest revision that any client has heard of.
	told int64
	// answering is when the answers of the turn under way leave the member.
	answering int64
	weights   int
	eager     [2]*client // read back what others have written
	// doubted is where all that is written is read back until a time.
	doubted      raft.NodeID
	doubtedUntil int64
	locks        lockBook
}

func newWorkload(w *World) *workload {
	l := &workload{w: w, told: 1}
	l.leases = newLeaseBook(w)
	for _, weight := range w.plan.Load.Weights {
		l.weights += weight
	}
	return l
}

func (l *workload) start() {
	for i := range l.w.plan.Load.Clients {
		c := &client{w: l.w, id: i + 1, known: map[string]mvcc.KeyValue{}}
		l.clients = append(l.clients, c)
		c.next(nil)
	}
	l.startEager()
	l.startLockers()
	l.startUsers()
	for i := range l.w.plan.Load.Watchers {
		s := newWatchStream(l.w, i)
		if l.w.plan.Load.Users {
			s.user = userName(i)
		}
		l.streams = append(l.streams, s)
		s.reconnect(0)
	}
}

// kind draws what to do next.
func (l *workload) kind() opKind {
	r := l.w.loadDraw.IntN(l.weights)
	for k, weight := range l.w.plan.Load.Weights {
		if r -= weight; r < 0 {
			return opKind(k)
		}
	}
	panic("sim: weights don't add up")
}

// travel draws the time between a client and a member.
func (l *workload) travel() int64 { return 50 + l.w.loadDraw.around(300) }

// anyMember draws a member of the committed configuration; learners answer
// only serializable reads, but clients don't know that.
func (l *workload) anyMember(d draw) raft.NodeID {
	members := l.w.oracle.config.Members
	return members[d.IntN(len(members))].ID
}

// connectionsLost tells the clients of a member that its process ended.
func (l *workload) connectionsLost(n *Node) {
	for _, c := range l.clients {
		if o := c.busy; o != nil && o.node == n && o.request != nil {
			l.w.at(l.w.loadDraw.between(100, 5000), whatClient, 0, func() {
				if o.answer == AnswerPending {
					c.finish(o, AnswerAmbiguous, errConnectionLost)
				}
			})
		}
	}
	for _, s := range l.streams {
		if s.node == n {
			s.reconnect(l.w.loadDraw.between(100, 200*millisecond))
		}
	}
}

// quiet stops the clients; what is under way still ends.
func (l *workload) quiet() {
	for _, c := range l.clients {
		c.stop = true
	}
}

func (l *workload) idle() bool {
	for _, c := range l.clients {
		if c.busy != nil {
			return false
		}
	}
	return true
}

// resume lets the clients go on after a quiet time.
func (l *workload) resume() {
	for _, c := range l.clients {
		if c.stop {
			c.stop = false
			if c.busy == nil {
				c.next(nil)
			}
		}
	}
}

package sim

import (
	"math"

	"github.com/holdfast-db/holdfast/raft"
	"github.com/holdfast-db/holdfast/transport"
)

// link is what is wrong with one direction between two members, besides a cut
// and a constant delay.
type link struct {
	lossPPM int
	// rate is what it carries, bytes a second; 0: no bound. free is when all that
	// it was given before is through.
	rate, free int64
	// clogged is until when it holds everything back.
	clogged int64
	// resets counts the connections that broke: frames of an older one are lost.
	resets int
}

// queueMax is how much may wait for a link, in the time that it takes to get
// through; what comes then is dropped, as by a sender whose queue is full.
// backlogMax is how long one frame may take.
const (
	queueMax   = 2 * second
	backlogMax = 10 * second
)

// full tells whether what waits for the link leaves no room for more.
func (l *link) full(now int64) bool { return l.rate > 0 && l.free-now > queueMax }

// hold is how long a frame of that size waits for the link, µs.
func (l *link) hold(now int64, size int) int64 {
	wait := max(0, l.clogged-now)
	if l.rate > 0 {
		l.free = max(l.free, now) + int64(size)*second/l.rate
		wait = max(wait, l.free-now)
	}
	return wait
}

// The manners in which travel times are spread.
const (
	delayExponential = "exponential"
	delayFixed       = "fixed"
	delayBimodal     = "bimodal"
	delayHeavyTail   = "heavy-tail"
)

// travel draws how long a frame is on its way, without what links add.
func (n *network) travel() int64 {
	mean := n.knobs.DelayMean
	switch n.knobs.DelayShape {
	case delayFixed:
		return mean
	case delayBimodal:
		if n.draw.percent(10) {
			return 10*mean + n.draw.between(0, mean)
		}
		return n.draw.between(0, mean)
	case delayHeavyTail:
		// Pareto with exponent 1.5 and mean 3 × its least value.
		return int64(min(float64(mean)/3*math.Pow(1-n.draw.Float64(), -1/1.5), n.tail(mean)))
	}
	return n.draw.around(mean)
}

// tail is the longest time that a heavy tail draws. Once the faults have ended
// it is what Raft takes for granted (§5.6): well below an election timeout. A
// frame that takes longer, on a link that keeps its order, is a leader's loss of
// its quorum, and the next term is no failing of the members'.
func (n *network) tail(mean int64) float64 {
	most := 100 * mean
	if n.perfect {
		most = min(most, max(mean, int64(n.w.plan.Raft.ElectionTicks)*n.w.plan.Raft.TickMicros/4))
	}
	return float64(most)
}

// heal ends what has not ended by itself: links carry everything again.
func (n *network) heal() {
	n.perfect = true
	for from := range n.links {
		for to := range n.links[from] {
			n.links[from][to].clogged, n.links[from][to].free = 0, 0
		}
	}
}

// drawLinks makes some directions longer than others, for the whole run.
func (n *network) drawLinks() {
	if n.knobs.Asymmetry == 0 {
		return
	}
	for from := range n.slow {
		for to := range n.slow[from] {
			n.slow[from][to] = n.draw.between(0, n.knobs.Asymmetry)
		}
	}
}

// receiver is who gets a frame: a member's address may belong to another one
// now. Only raft's messages name whom they are for; the rest can't get there,
// since a connection begins by telling both ends (transport.Hello).
func (n *network) receiver(to raft.NodeID, frame []byte) raft.NodeID {
	other := n.astray[to]
	if other == 0 {
		return to
	}
	f, _, err := transport.DecodeFrame(frame)
	if err != nil || f.Kind != transport.KindRaft {
		return 0
	}
	n.w.count.add("frames delivered to the wrong member")
	return other
}

// past remembers some of the frames that were sent, and apart from them more of
// those by which members ask the leader for their clients: a small part of all,
// and what they ask for must not happen twice, however late.
type past struct {
	frames [512]pastFrame
	kept   int
	seen   int
	asked  []pastFrame // the last askedMax, oldest first
}

// askedMax bounds how many frames with clients' requests are remembered: those
// of several seconds, so that snapshots were taken since.
const askedMax = 2048

type pastFrame struct {
	from, to raft.NodeID
	bytes    []byte
}

// pastEvery of the frames one is kept, so that the memory reaches back for
// several election timeouts.
const pastEvery = 5

func (p *past) note(from, to raft.NodeID, frame []byte) {
	if transport.KindOf(frame) == transport.KindForward {
		if p.asked = append(p.asked, pastFrame{from, to, frame}); len(p.asked) > askedMax {
			p.asked = append(p.asked[:0:0], p.asked[askedMax/2:]...)
		}
		return
	}
	if p.seen++; p.seen%pastEvery == 0 {
		p.frames[p.kept%len(p.frames)] = pastFrame{from, to, frame}
		p.kept++
	}
}

// any draws one; nil if there is none yet.
func (p *past) any(d draw) []byte {
	if p.kept == 0 {
		return nil
	}
	return p.frames[d.IntN(min(p.kept, len(p.frames)))].bytes
}

// askedOf lists the requests that a member sent or was sent, oldest first.
func (p *past) askedOf(id raft.NodeID) (list []pastFrame) {
	for _, f := range p.asked {
		if f.from == id || f.to == id {
			list = append(list, f)
		}
	}
	return list
}

// of lists those that a member sent or was sent, oldest first.
func (p *past) of(id raft.NodeID) (list []pastFrame) {
	for i := max(0, p.kept-len(p.frames)); i < p.kept; i++ {
		if f := p.frames[i%len(p.frames)]; f.from == id || f.to == id {
			list = append(list, f)
		}
	}
	return list
}

// replay delivers frames of the past once more, those to whom they went.
func (n *network) replay(id raft.NodeID, times int64) int {
	list, asked := n.past.of(id), n.past.askedOf(id)
	if len(list) == 0 {
		return 0
	}
	for range times {
		f := list[n.draw.IntN(len(list))]
		if len(asked) > 0 && n.draw.percent(50) {
			f = asked[n.draw.IntN(len(asked))]
		}
		if n.open(f.from, f.to) {
			n.w.at(n.draw.between(1, 20*millisecond), whatFrame, uint8(f.to), func() { n.arrive(f.from, f.to, f.bytes) })
			n.w.count.add("frames replayed")
		}
	}
	return len(list)
}

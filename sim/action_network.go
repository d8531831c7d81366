package sim

import (
	"slices"

	"github.com/holdfast-db/holdfast/raft"
	"github.com/holdfast-db/holdfast/server/replica"
)

// What can be done to the network.
var networkVerbs = []verb{
	{"partition", []param{pGroups, pFor}, doPartition,
		"members that share no group don't hear each other; one that is in several is a bridge; one that is in none hears all"},
	{"isolate", []param{pWho, pFor}, doIsolate, "the member hears no other, and none hears it; its clients reach it"},
	{"cut", []param{pLinks, pFor}, doCut, "frames are lost on these links: 1>2 one way, 1-2 both"},
	{"flap", []param{pWho, pPeer, pMicros, pCount("times")}, doFlap, "the link between the two goes and comes, for the duration each, so many times"},
	{"slow", []param{pLinks, pMicros, pFor}, doSlow, "frames on these links take so much longer"},
	{"reconnect", nil, doReconnect, "every partition, isolate, cut and slow ends; what is down stays down"},
	{"hide", []param{pWho, pWord(true, "noticed"), pFor}, doHide,
		"clients don't reach the member; noticed: their connections break, otherwise they learn it by timeouts"},
	{"hint", []param{pWho, pWord(false, "closed", "unreachable"), pPeer}, doHint,
		"the first member is told that the other's process ended, or that frames to it were lost, whether it is true or not"},
	{"loss", []param{pLinks, pCount("percent"), pFor}, doLoss, "so many percent of the frames on these links are lost"},
	{"throttle", []param{pLinks, pCount("bytes"), pFor}, doThrottle, "these links carry so many bytes a second, snapshots included"},
	{"clog", []param{pWho, pFor}, doClog, "whatever the member sends or is sent is held back, and comes when that is over"},
	{"reset", []param{pLinks}, doReset, "the connections of these links break: what is under way on them is lost, and the senders learn it"},
	{"replay", []param{pWho, pCount("times")}, doReplay, "so many frames that the member sent or was sent some time ago arrive once more"},
	{"misroute", []param{pWho, pPeer, pFor}, doMisroute, "frames to the first member arrive at the second: its address was given to it"},
}

// links resolves the names in an action; pairs that aren't there are left out.
func (w *World) links(list []Link) (found [][2]raft.NodeID) {
	for _, l := range list {
		if from, to := w.who(l.From), w.who(l.To); from != nil && to != nil && from != to {
			found = append(found, [2]raft.NodeID{from.id, to.id})
		}
	}
	return found
}

func doCut(w *World, a *Action) bool { return w.cutFor(w.links(a.Links), a.For) }

// cutFor blocks links for a while, or until heal.
func (w *World) cutFor(links [][2]raft.NodeID, micros int64) bool {
	if len(links) > 0 {
		w.faults.lasts(&repair{link: true, undo: w.faults.cut(links)}, micros)
	}
	return len(links) > 0
}

func doPartition(w *World, a *Action) bool {
	groups := map[raft.NodeID][]int{}
	for i, g := range a.Groups {
		for _, name := range g {
			if n := w.who(name); n != nil {
				groups[n.id] = append(groups[n.id], i)
			}
		}
	}
	var links [][2]raft.NodeID
	for _, from := range w.nodes {
		for _, to := range w.nodes {
			if g, h := groups[from.id], groups[to.id]; len(g) > 0 && len(h) > 0 && !share(g, h) {
				links = append(links, [2]raft.NodeID{from.id, to.id})
			}
		}
	}
	return w.cutFor(links, a.For)
}

func share(a, b []int) bool {
	return slices.ContainsFunc(a, func(x int) bool { return slices.Contains(b, x) })
}

func doIsolate(w *World, a *Action) bool {
	n := w.who(a.Who)
	if n == nil || len(w.nodes) == 1 {
		return false
	}
	w.faults.lasts(&repair{link: true, undo: w.faults.isolate(n)}, a.For)
	return true
}

func doReconnect(w *World, _ *Action) bool {
	for _, r := range w.faults.heals {
		if r.link {
			w.faults.mend(r)
		}
	}
	return true
}

func doFlap(w *World, a *Action) bool {
	from, to := w.who(a.Who), w.who(a.Peer)
	if from == nil || to == nil || from == to || a.Micros == 0 {
		return false
	}
	w.faults.flapping(from.id, to.id, a.Micros, max(a.Count, 1))
	return true
}

func doSlow(w *World, a *Action) bool {
	links := w.links(a.Links)
	for _, l := range links {
		w.net.slow[l[0]][l[1]] += a.Micros
	}
	w.faults.lasts(&repair{link: true, undo: func() {
		for _, l := range links {
			w.net.slow[l[0]][l[1]] -= a.Micros
		}
	}}, a.For)
	return len(links) > 0
}

func doHide(w *World, a *Action) bool {
	n := w.who(a.Who)
	if n == nil || !n.clientUp {
		return false
	}
	n.clientUp = false
	if a.Word == "noticed" {
		w.load.connectionsLost(n)
	}
	w.faults.lastFor(a.For, func() { n.clientUp = true })
	return true
}

func doHint(w *World, a *Action) bool {
	n, peer := w.who(a.Who), w.who(a.Peer)
	if n == nil || !n.up || peer == nil || peer == n {
		return false
	}
	if a.Word == "unreachable" {
		n.enqueue(replica.PeerUnreachableEvent{Peer: peer.id})
	} else {
		n.enqueue(replica.PeerClosedEvent{Peer: peer.id})
	}
	return true
}

func doLoss(w *World, a *Action) bool {
	links := w.links(a.Links)
	ppm := int(min(a.Count, 100)) * 10_000
	for _, l := range links {
		w.net.links[l[0]][l[1]].lossPPM += ppm
	}
	w.faults.lastFor(a.For, func() {
		for _, l := range links {
			w.net.links[l[0]][l[1]].lossPPM -= ppm
		}
	})
	return len(links) > 0
}

func doThrottle(w *World, a *Action) bool {
	links := w.links(a.Links)
	for _, l := range links {
		w.net.links[l[0]][l[1]].rate = a.Count
	}
	w.faults.lastFor(a.For, func() {
		for _, l := range links {
			w.net.links[l[0]][l[1]].rate = 0
		}
	})
	return len(links) > 0 && a.Count > 0
}

func doClog(w *World, a *Action) bool {
	n := w.who(a.Who)
	if n == nil || a.For == 0 {
		return false
	}
	for _, o := range w.nodes {
		for _, l := range []*link{&w.net.links[n.id][o.id], &w.net.links[o.id][n.id]} {
			l.clogged = max(l.clogged, w.now+a.For)
		}
	}
	return true
}

func doReset(w *World, a *Action) bool {
	links := w.links(a.Links)
	for _, l := range links {
		w.net.links[l[0]][l[1]].resets++
		if n := w.node(l[0]); n.up {
			n.enqueue(replica.PeerUnreachableEvent{Peer: l[1]})
		}
	}
	return len(links) > 0
}

func doReplay(w *World, a *Action) bool {
	n := w.who(a.Who)
	return n != nil && w.net.replay(n.id, max(a.Count, 1)) > 0
}

func doMisroute(w *World, a *Action) bool {
	n, other := w.who(a.Who), w.who(a.Peer)
	if n == nil || other == nil || n == other || w.net.astray[n.id] != 0 {
		return false
	}
	w.net.astray[n.id] = other.id
	w.faults.lastFor(a.For, func() { w.net.astray[n.id] = 0 })
	return true
}

package raft

// needSnapshot asks the driver to stream its snapshot to a member that needs
// entries which the log no longer has (Raft §7). A member that does not answer
// is left alone until it does.
func (n *Node) needSnapshot(p *progress) {
	if !p.heard || !p.active(n.cfg.ElectionTicks) {
		p.probe(p.next)
		p.paused = true // its next echo goes on from here
		return
	}
	n.event(EventSnapshotNeeded, ReasonCompacted, p.id, p.next)
	next := p.next
	p.probe(next)
	p.state = SnapshotTransfer
	n.out.SendSnapshot = append(n.out.SendSnapshot, p.id)
}

// SnapshotSent tells the outcome of Output.SendSnapshot: the member has
// received the file up to last, or not. The leader then waits for its
// acknowledgement, but no longer than an election timeout.
func (n *Node) SnapshotSent(to NodeID, last EntryID, ok bool) {
	if n.role != Leader {
		return
	}
	p := n.lead.find(to)
	if p == nil || p.state != SnapshotTransfer {
		return
	}
	if !ok {
		n.event(EventSnapshotFailed, ReasonNone, to, last.Index)
		p.probe(p.match + 1)
		p.paused = true // the next heartbeat's echo tries again
		return
	}
	n.event(EventSnapshotSent, ReasonNone, to, last.Index)
	p.snapshot, p.waited = last.Index, 0
}

// tickSnapshots probes members that have received a snapshot but didn't
// acknowledge it in time: the message, or the member, may be lost.
func (n *Node) tickSnapshots() {
	for _, p := range n.lead.progress {
		if p.state != SnapshotTransfer || p.snapshot == 0 {
			continue
		}
		if p.waited++; p.waited >= n.cfg.ElectionTicks {
			p.probe(p.snapshot + 1)
			n.lead.dirty = true
		}
	}
}

// onInstallSnapshot takes a snapshot whose file the driver has received and
// made durable. The log is replaced by its position, unless it holds that
// position: then nothing is lost and only the commit index moves (Raft §7,
// "retain log entries following it").
func (n *Node) onInstallSnapshot(m *Message) {
	if !n.heardLeader(m) {
		return
	}
	meta := *m.Snapshot
	last := meta.Last.Index
	switch {
	case last <= n.log.commit:
		n.event(EventSnapshotIgnored, ReasonStale, m.From, last)
	case n.log.terms.holds(meta.Last):
		n.event(EventSnapshotIgnored, ReasonNone, m.From, last)
		n.advanceCommit(last)
	default:
		n.install(meta)
	}
	n.acknowledge(m.From, max(last, n.log.commit))
}

// install replaces log and configuration by the snapshot's. The state machine
// follows when the reset is durable (Output.Restore).
func (n *Node) install(meta SnapshotMeta) {
	n.event(EventSnapshotInstalled, ReasonNone, n.leader, meta.Last.Index)
	n.log.reset(meta.Last)
	n.writer.replaced(meta)
	n.applier.install(meta)
	n.configs.stack = []ConfigAt{meta.Config}
	n.configChanged()
}

package main

var storeMutants = []mutant{
	{id: "53", name: "a transaction that only reads makes a revision", edits: []edit{
		{"mvcc/txn.go", "	res, _ := s.runTxn(req, path, leases)\n	s.commit()\n", "	res, _ := s.runTxn(req, path, leases)\n	if s.changes == 0 {\n		s.rev++\n		s.view = nil\n	}\n	s.commit()\n"},
	}},
	{id: "54", name: "the writes of a transaction get a revision each", edits: []edit{
		{"mvcc/store.go", "	r.rev = Revision{Main: s.rev + 1, Sub: s.changes}", "	r.rev = Revision{Main: s.rev + 1 + s.changes}"},
		{"mvcc/store.go", "		return s.rev + 1\n", "		return s.rev + s.changes\n"},
	}},
	{id: "55", name: "deleting a deleted key writes another tombstone", edits: []edit{
		{"mvcc/store.go", "		if !it.tombstone() {\n			victims = append(victims, it)\n		}\n", "		victims = append(victims, it)\n"},
	}},
	{id: "56", name: "compaction drops the newest version at its revision", edits: []edit{
		{"mvcc/compact.go", "	n := it.kept(rev)\n", "	n := it.kept(rev)\n	if n < it.count() && it.nth(n).main <= rev {\n		n++\n	}\n"},
	}},
	{id: "57", name: "compaction drops a tombstone at its own revision", edits: []edit{
		{"mvcc/item.go", "v.tombstone() && v.main < rev {", "v.tombstone() && v.main <= rev {"},
	}},
	{id: "58", name: "transactions are applied without their reads where nobody waits", edits: []edit{
		{"server/state/state.go", "type State struct {\n", "type State struct {\n	Local func(RequestID) bool\n"},
		{"server/state/apply.go", "	case *mvcc.TxnRequest:\n", "	case *mvcc.TxnRequest:\n		if s.Local != nil && !s.Local(c.ID) {\n			b = withoutReads(b)\n		}\n"},
		{"server/state/apply.go", "// run executes a command.", "func withoutReads(t *mvcc.TxnRequest) *mvcc.TxnRequest {\n	c := *t\n	strip := func(ops []mvcc.Op) (kept []mvcc.Op) {\n		for _, op := range ops {\n			if op.Range == nil {\n				kept = append(kept, op)\n			}\n		}\n		return kept\n	}\n	c.Success, c.Failure = strip(t.Success), strip(t.Failure)\n	return &c\n}\n\n// run executes a command."},
		{"server/replica/apply.go", "		err = a.state.Apply(uint64(e.Index)", "		a.state.Local = func(id state.RequestID) bool { return id.Member == a.origin.Member }\n		err = a.state.Apply(uint64(e.Index)"},
	}},
	{id: "59a", name: "the keys of a revoked lease go in the order of a map", edits: []edit{
		{"server/state/lease.go", "	t.ascendKeys(id, func(key string) bool {\n		keys = append(keys, []byte(key))\n		return true\n	})\n", "	set := map[string]bool{}\n	t.ascendKeys(id, func(key string) bool {\n		set[key] = true\n		return true\n	})\n	for key := range set {\n		keys = append(keys, []byte(key))\n	}\n"},
	}},
	{id: "59b", name: "the least TTL of a lease is each member's own setting", edits: []edit{
		{"server/state/state.go", "type State struct {\n", "type State struct {\n	LeastTTL int64\n"},
		{"server/state/lease.go", "	s.setLease(Lease{ID: q.ID, TTL: q.TTL, Since: s.applied})\n	return q, nil", "	s.setLease(Lease{ID: q.ID, TTL: max(q.TTL, s.LeastTTL), Since: s.applied})\n	return q, nil"},
		{"server/replica/apply.go", "		err = a.state.Apply(uint64(e.Index)", "		a.state.LeastTTL = int64(a.origin.Member)\n		err = a.state.Apply(uint64(e.Index)"},
	}},
	{id: "70", name: "the CRC of a frame is not compared", edits: []edit{
		{"transport/frame.go", "	if stored != computed {", "	if stored != computed && false {"},
	}},
	{id: "72a", name: "a request that comes twice is applied twice", edits: []edit{
		{"server/state/window.go", "	if w.has(seq) {\n		return ErrDuplicate\n	}\n", ""},
	}},
	{id: "72b", name: "a snapshot lacks the request windows, and the hash leaves them out", edits: []edit{
		{"server/state/export.go", "		if m := &e.members[e.at]; m.window != (window{}) {", "		if m := &e.members[e.at]; false {"},
		{"server/state/member.go", "	return m.window.hash(h)", "	return h"},
	}},
}

var watchMutants = []mutant{
	{id: "60", name: "a slow watcher loses what it had no room for", edits: []edit{
		{"mvcc/deliver.go", "			} else {\n				h.fallBehind(w, p.rev)\n			}\n", "			}\n"},
	}},
	{id: "61a", name: "a watcher that has caught up skips a revision", edits: []edit{
		{"mvcc/deliver.go", "		w.cursor = end + 1\n", "		w.cursor = end + 2\n"},
	}},
	{id: "61b", name: "a watcher that has caught up gets a revision twice", edits: []edit{
		{"mvcc/deliver.go", "		w.cursor = end + 1\n		if w.cursor > h.published {", "		w.cursor = end\n		if w.cursor >= h.published {"},
	}},
	{id: "62a", name: "after a snapshot a watcher starts again from the first revision", edits: []edit{
		{"mvcc/hub.go", "			w.cursor = max(w.cursor, before+1)\n", "			w.cursor = max(s.compacted, 1)\n"},
	}},
	{id: "62b", name: "after a snapshot a watcher goes on from the snapshot", edits: []edit{
		{"mvcc/hub.go", "			w.cursor = max(w.cursor, before+1)\n", "			w.cursor = max(w.cursor, h.published+1)\n"},
	}},
	{id: "63a", name: "a watch of a revision to come gets earlier events", edits: []edit{
		{"mvcc/hub.go", "	if w.cursor == 0 {\n", "	if w.cursor == 0 || w.cursor > h.store.rev {\n"},
	}},
	{id: "63b", name: "a watch of a revision to come is told that it has all up to now", edits: []edit{
		{"mvcc/hub.go", "return !w.behind && w.start <= h.published }", "return !w.behind }"},
	}},
	{id: "64a", name: "a watch of a compacted revision is not told so", edits: []edit{
		{"mvcc/hub.go", "		return []WatchResponse{created, h.compactedResponse(watchID)}", "		return []WatchResponse{created}"},
	}},
	{id: "64b", name: "a watcher that compaction overtook is forgotten in silence", edits: []edit{
		{"mvcc/deliver.go", "			h.say(w.stream, h.compactedResponse(w.id))\n", ""},
	}},
	{id: "64c", name: "a watcher that compaction overtook goes on from what is left", edits: []edit{
		{"mvcc/deliver.go", "w.cursor < h.store.compacted {", "w.cursor < 0 {"},
	}},
	{id: "64d", name: "progress is told while events are still to come", edits: []edit{
		{"mvcc/hub.go", "return !w.behind && w.start <= h.published }", "return w.start <= h.published }"},
	}},
}

var leaseMutants = []mutant{
	{id: "65a", name: "a new leader does not extend the leases", edits: []edit{
		{"server/replica/apply_leases.go", "a.lessor.set(l.ID, a.now+a.life(l.RemainingTTL())+grace)", "a.lessor.set(l.ID, a.now+grace-grace)"},
	}},
	{id: "66a", name: "a keep-alive succeeds while the revocation is on its way", edits: []edit{
		{"server/replica/apply_leases.go", "	if !ok || a.lessor.ending(id) {", "	if !ok {"},
	}},
	{id: "66b", name: "a keep-alive counts that an earlier term's leader confirmed", edits: []edit{
		{"server/replica/apply_leases.go", "	if a.lessor.term == 0 || a.lessor.term != round.Term {\n		return Reply{Err: ErrLeaderChanged}\n	}\n	lease, ok := a.state.Lease(id)\n	if !ok || a.lessor.ending(id) {", "	if a.lessor.term == 0 {\n		return Reply{Err: ErrLeaderChanged}\n	}\n	lease, ok := a.state.Lease(id)\n	if !ok || a.lessor.ending(id) {"},
	}, harmless: "who leads now has begun every lease afresh when it was elected, after the other term's round, so the renewal " +
		"moves nothing and promises no more than is kept; and a lease that ended in between is gone from the state that answers"},
	{id: "66c", name: "the revocation of an earlier leader counts", edits: []edit{
		{"server/state/lease.go", "	if q.Expired && proposed != committed {", "	if q.Expired && proposed > committed {"},
	}, harmless: "commands get their term when the leader appends them, in the turn in which it checks that the lessor that " +
		"decided them leads in that very term (proposeEvent), so an entry's term and that of its commands never differ: the check is " +
		"the second line"},
	{id: "66d", name: "a leader answers keep-alives without asking a quorum", edits: []edit{
		{"server/replica/reads.go", "	round := q.waiting\n	if c.role", "	if c.role == raft.Leader {\n		kept := q.waiting[:0:0]\n		for _, r := range q.waiting {\n			if r.Kind == KeepAlive {\n				out.Events = append(out.Events, readyEvent{Term: c.term, Start: c.now, Requests: []*Request{r}})\n			} else {\n				kept = append(kept, r)\n			}\n		}\n		if q.waiting = kept; len(kept) == 0 {\n			return\n		}\n	}\n	round := q.waiting\n	if c.role"},
	}},
	{id: "65b", name: "a new leader gives leases no more than their TTL", edits: []edit{
		{"server/replica/apply_leases.go", "	grace := uint64(a.cfg.ElectionTicks)\n", "	grace := uint64(0)\n"},
	}, harmless: "whoever was promised time had asked before the quorum's echo, and that quorum elected the new leader later: " +
		"its whole TTL from then on is enough. The grace is etcd's, for clients that are slow to find the new leader"},
	{id: "66e", name: "a keep-alive is answered and moves no deadline", edits: []edit{
		{"server/replica/apply_leases.go", "	a.lessor.extend(id, round.Start+a.life(lease.TTL))\n", ""},
	}},
	{id: "67b", name: "nothing is allowed for a clock that lags", edits: []edit{
		{"server/replica/apply_leases.go", "*perSecond + uint64(a.cfg.LateTicks)\n", "*perSecond\n"},
	}},
	{id: "67c", name: "the start of a keep-alive's round is read on the wrong clock", edits: []edit{
		{"server/replica/apply.go", "		ev.Start = a.fromCore(ev.Start, ev.Now)\n", ""},
	}, faults: "stall-actor"},
	{id: "67a", name: "leases run out at half their time", edits: []edit{
		{"server/replica/apply_leases.go", "	return uint64(max(seconds, 0))*perSecond + uint64(a.cfg.LateTicks)\n", "	return uint64(max(seconds, 0))*perSecond/2 + uint64(a.cfg.LateTicks)\n"},
	}},
}

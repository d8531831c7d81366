package main

// otherMutants are those of what lies around the store, and the places of those
// that have to wait.
var otherMutants = []mutant{
	{id: "25", name: "lease reads go on while a transfer is under way, or after a clock has stepped", waits: "lease reads"},
	{id: "44", name: "a damaged entry is answered like one that was never there", waits: "a damaged log that heals from its peers"},
	{id: "68", name: "a lock is given before the own key is the first", edits: []edit{
		{"server/api/lock.go", "len(owner) == 0 || owner[0].CreateRevision == mine {", "len(owner) == 0 || owner[0].CreateRevision <= mine {"},
	}, tests: "./server/api"},
	{id: "69a", name: "the operations inside an inner transaction are not checked for permission", edits: []edit{
		{"server/state/permit.go", "		return p.txn(op.Txn)\n", "		return nil\n"},
	}},
	{id: "69b", name: "the value before a put is told without the permission to read", edits: []edit{
		{"server/state/permit.go", "	if b.PrevKV {\n		return p.keys(auth.Read, b.Key, nil)\n	}\n	return nil\n}\n\nfunc (p permitter) delete", "	return nil\n}\n\nfunc (p permitter) delete"},
	}},
	{id: "71", name: "a snapshot and the heartbeats go through one queue", edits: []edit{
		{"transport/tcp/link.go", "	guest    bool // under t.mu\n	stats    linkStats\n", "	guest    bool // under t.mu\n	stats    linkStats\n	turn     sync.Mutex\n"},
		{"transport/tcp/link.go", "			err = c.stream.send(batch...)\n", "			l.turn.Lock()\n			err = c.stream.send(batch...)\n			l.turn.Unlock()\n"},
		{"transport/tcp/snapshot_send.go", "	verdict := make(chan error, 1)\n	go func() {\n		err := readVerdict(s)", "	x.t.mu.RLock()\n	l := x.t.links[x.to]\n	x.t.mu.RUnlock()\n	if l != nil {\n		l.turn.Lock()\n		defer l.turn.Unlock()\n	}\n	verdict := make(chan error, 1)\n	go func() {\n		err := readVerdict(s)"},
	}, tests: "./transport/tcp"},
}

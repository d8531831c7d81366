package main

// lifeMutants are about disks that are exchanged for older copies of themselves.
var lifeMutants = []mutant{
	{id: "73a", name: "an earlier count of starts, or one that was there before, is not noticed", edits: []edit{
		{"raft/life.go", "	case p.Nonce == 0 || m.Life.Boot < p.Boot:\n", "	case p.Nonce == 0:\n"},
		{"raft/life.go", "m.Life.Boot == p.Boot && m.Life.Nonce != p.Nonce || ", ""},
	}},
	{id: "73b", name: "a member that was told that it has forgotten goes on", edits: []edit{
		{"raft/life.go", "	n.out.Fenced = n.fence\n", "	n.fence = nil\n"},
	}},
	{id: "73c", name: "what is remembered of the others is lost with the process", edits: []edit{
		{"server/replica/open.go", "Tail: rec.Tail, Peers: rec.Peers,", "Tail: rec.Tail,"},
	}},
	{id: "73d", name: "a later start with less than was acknowledged passes", edits: []edit{
		{"raft/life.go", "l.Term < p.Term || l.Term == p.Term && l.Last < p.Match", "false && l.Term < p.Term"},
	}},
	{id: "73e", name: "what was acknowledged before the disk was exchanged still counts", edits: []edit{
		{"raft/progress.go", "	if n.marks.disowned(id) {\n		return 0\n	}\n", ""},
	}, faults: "old-disk,kill,transfer"},
}

// checkpointMutants are about what is written down of a lease's remaining time.
var checkpointMutants = []mutant{
	{id: "75a", name: "a keep-alive is over although a checkpoint stands", edits: []edit{
		{"server/replica/apply_leases.go", "	if lease.Remaining > 0 || a.lessor.deadline[id].checkpoint {\n", "	if false {\n"},
	}},
	{id: "75b", name: "a checkpoint counts that was on its way when the lease was renewed", edits: []edit{
		{"server/state/lease.go", " || c.Remaining > 0 && lease.Since > q.AsOf", ""},
	}},
	{id: "75c", name: "a renewal forgets a checkpoint that is on its way", edits: []edit{
		{"server/replica/apply_leases.go", " || a.lessor.deadline[id].checkpoint", ""},
	}},
}

// secretMutants let somebody see what he may not.
var secretMutants = []mutant{
	{id: "69c", name: "a watch goes on though its permission is gone", edits: []edit{
		{"server/replica/apply_watch.go", "		if err := v.Still(a.sessions[stream], key, end); err != nil {\n			return err.Error()\n		}\n", ""},
	}},
	{id: "69d", name: "what a user may is decided by the name alone, at whatever revision he came with", edits: []edit{
		{"server/auth/view.go", "	if c.Revision < v.revision {\n		return ErrOldRevision\n	}\n", ""},
	}},
	{id: "69e", name: "a put may tie a key to a lease of others' keys", edits: []edit{
		{"server/state/permit.go", "		if err := p.lease(auth.Write, b.Lease); err != nil {\n			return err\n		}\n", ""},
	}},
}

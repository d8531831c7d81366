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
	}, tests: "./server/replica"},
	{id: "73d", name: "a later start with less than was acknowledged passes", edits: []edit{
		{"raft/life.go", "l.Term < p.Term || l.Term == p.Term && l.Last < p.Match", "false && l.Term < p.Term"},
	}, tests: "./raft"},
	{id: "73e", name: "what was acknowledged before the disk was exchanged still counts", edits: []edit{
		{"raft/progress.go", "	if n.marks.disowned(id) {\n		return 0\n	}\n", ""},
	}, tests: "./raft"},
}

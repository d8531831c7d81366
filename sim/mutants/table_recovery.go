package main

// recoveryMutants are mistakes that Holdfast itself has made, or would make
// without a rule that one of its failures taught (sim/README.md, track record).
var recoveryMutants = []mutant{
	{id: "74a", name: "the newest batch does not vouch for the lost one before it", edits: []edit{
		{"wal/replay.go", "return r.gap != nil && it.whole && !it.h.synced.Before(r.gap.end)", "return false"},
	}, faults: "lost-write"},
	{id: "74b", name: "a new term or vote is written once, without its mark", edits: []edit{
		{"wal/log.go", "	if err := l.write(b); err != nil || !promise {\n", "	if err := l.write(b); err != nil || true {\n"},
		{"wal/log.go", "	promise := l.promises(p)\n", ""},
	}, faults: "lost-write"},
	{id: "74c", name: "a newest segment without its end is taken for whole", edits: []edit{
		{"wal/scan.go", "return err == nil && h.seq == im.seq && im.size < min(h.size, batchBytesMax)", "return false && err == nil && h.seq == 0"},
	}},
}

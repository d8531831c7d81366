package main

var logMutants = []mutant{
	{id: "35a", name: "the first batch of a segment is not synced", edits: []edit{
		{"wal/log.go", "	sync := b.mustSync || l.o.Policy.Safe()\n", "	sync := (b.mustSync || l.o.Policy.Safe()) && h.kind != KindOpen\n"},
	}},
	{id: "35b", name: "batches are not synced at all", edits: []edit{
		{"wal/log.go", "	sync := b.mustSync || l.o.Policy.Safe()\n", "	sync := b.mustSync\n"},
	}},
	{id: "36", name: "no directory sync after a segment got its name", edits: []edit{
		{"wal/segment.go", "	if err := p.m.fs.SyncDir(p.m.dir); err != nil {\n		return err\n	}\n", ""},
	}},
	{id: "37", name: "a failed sync is tried again", edits: []edit{
		{"wal/log.go", "if err := s.file.SyncData(); err != nil {", "if err := s.file.SyncData(); err != nil && s.file.SyncData() != nil {"},
	}},
	{id: "38", name: "any bad batch ends the log", edits: []edit{
		{"wal/replay.go", "		if !here.Before(r.proven) && !r.vouches(it) {", "		if true {"},
		{"wal/replay.go", "	if at < end {", "	if false {"},
	}},
	{id: "39", name: "a block of zeros ends the log", edits: []edit{
		{"wal/scan.go", "		b := im.block(i)\n		if h, ok := decodeHeader(b, salt); ok && h.pos == (Pos{im.seq, i}) {", "		b := im.block(i)\n		if binary.LittleEndian.Uint64(b) == 0 {\n			break\n		}\n		if h, ok := decodeHeader(b, salt); ok && h.pos == (Pos{im.seq, i}) {"},
	}},
	{id: "40", name: "an entry's CRC covers neither type nor index", edits: []edit{
		{"raft/codec.go", "	head[0] = byte(e.Type)\n	binary.LittleEndian.PutUint64(head[1:], uint64(e.Index))\n", ""},
	}},
	{id: "41", name: "what a recycled segment held before is taken for the log", edits: []edit{
		{"wal/header.go", "le.Uint64(b) != batchMagic^salt || ", ""},
		{"wal/scan.go", "ok && h.pos == (Pos{im.seq, i}) {", "ok && h.pos.Block == i {"},
		{"wal/scan.go", "if ok && h.pos.Seq == im.seq && h.pos.Block >= at", "if ok && h.pos.Block >= at"},
		{"wal/replay.go", "if r.gap != nil || r.chained && h.chain != r.chain {", "if r.gap != nil {"},
	}},
	{id: "42", name: "a recovered tail counts as durable without another sync", edits: []edit{
		{"wal/verdict.go", "	r.base, r.newest = r.proven, true\n", "	r.base, r.newest = r.proven, true\n	for _, it := range items {\n		if it.whole {\n			r.base = later(r.base, it.h.end())\n		}\n	}\n	if r.base != r.proven {\n		return\n	}\n"},
	}},
	{id: "43", name: "both twins of super are written before one sync", edits: []edit{
		{"wal/superfile.go", "	if w.at%2 == 1 {", "	if w.at >= 2 {"},
		{"wal/superfile.go", "uint32(w.super.version%2)+uint32(w.at), w.block", "uint32(w.super.version%2)+uint32(2*w.at), w.block"},
	}, faults: "sync-error"},
	{id: "45", name: "a full disk is overlooked when a segment is allocated", edits: []edit{
		{"wal/segment.go", "	return p.file.Allocate(p.size)\n}\n\n// fit", "	_ = p.file.Allocate(p.size)\n	return nil\n}\n\n// fit"},
	}},
}

var snapshotMutants = []mutant{
	{id: "46a", name: "a snapshot gets its name before it is synced", edits: []edit{
		{"snapshot/writer.go", "	w.next = w.rename\n	return w.file.SyncData()", "	w.next = w.rename\n	return nil"},
	}},
	{id: "46b", name: "no directory sync after a snapshot got its name", edits: []edit{
		{"snapshot/writer.go", "	return w.dir.fs.SyncDir(w.dir.options.Path)", "	return nil"},
	}},
	{id: "46c", name: "a received snapshot is not synced", edits: []edit{
		{"snapshot/receiver.go", "	if err := r.sync(); err != nil {\n		return raft.SnapshotMeta{}, err\n	}\n", ""},
	}},
	{id: "46d", name: "no directory sync after a received snapshot got its name", edits: []edit{
		{"snapshot/receiver.go", "	if err := r.dir.fs.SyncDir(r.dir.options.Path); err != nil {\n		return raft.SnapshotMeta{}, fmt.Errorf(\"snapshot: sync directory: %w\", err)\n	}\n", ""},
	}},
	{id: "47a", name: "the log moves its start while its own tail lacks the snapshot's end", edits: []edit{
		{"server/replica/snapshots.go", "s.ready != nil && !s.compacting && c.node.PersistedIndex() >= s.ready.meta.Last.Index {", "s.ready != nil && !s.compacting {"},
	}, faults: "disk-full,slow-disk"},
	{id: "47b", name: "segments are recycled before super names the new start", edits: []edit{
		{"wal/compact.go", "	l.stats.BytesSinceSnapshot = 0\n", "	for len(l.segments) > 1 && l.segments[0].seq < l.super.start {\n		l.retire(0, 1)\n	}\n	l.stats.BytesSinceSnapshot = 0\n"},
	}},
	{id: "48", name: "a snapshot claims an entry more than it holds", edits: []edit{
		{"server/replica/apply.go", "Index: raft.Index(a.state.AppliedIndex())},\n		Config", "Index: raft.Index(a.state.AppliedIndex() + 1)},\n		Config"},
	}},
	{id: "49a", name: "a snapshot lacks the leases", edits: []edit{
		{"server/state/export.go", "		e.takeLeases()\n	}\n", "		return nil, false\n	}\n"},
		{"server/state/load.go", "	if got := s.Hash(); got != l.hash {", "	if false {\n		got := uint64(0)"},
		{"server/replica/snapshot_files.go", "s.Hash() != file.StateHash() || ", ""},
	}},
	{id: "49b", name: "a snapshot lacks the members, and nobody compares hashes", edits: []edit{
		{"server/state/export.go", "	if e.at >= len(e.members) {\n		return e.removedMember(b)\n	}\n	m := &e.members[e.at]\n	b = binary", "	if e.at >= 1 || len(e.members) == 0 {\n		return nil, false\n	}\n	m := &e.members[e.at]\n	b = binary"},
		{"server/state/load.go", "		return fmt.Errorf(\"%w: request window of no member\", ErrBadSnapshot)", "		row = &memberRow{}"},
		{"server/state/load.go", "	if got := s.Hash(); got != l.hash {", "	if false {\n		got := uint64(0)"},
		{"server/replica/snapshot_files.go", "s.Hash() != file.StateHash() || ", ""},
	}},
	{id: "49c", name: "a snapshot lacks the users and the roles, and nobody compares hashes", edits: []edit{
		{"server/state/export.go", "	e.roles, e.users = authRows(e.view.auth)\n", ""},
		{"server/state/load.go", "	if got := s.Hash(); got != l.hash {", "	if false {\n		got := uint64(0)"},
		{"server/replica/snapshot_files.go", "s.Hash() != file.StateHash() || ", ""},
	}},
	{id: "50", name: "entries are applied while a snapshot waits to be restored", edits: []edit{
		{"raft/apply.go", "	return a.restore == nil && a.handed < n.log.commit", "	return a.handed < n.log.commit"},
	}},
	{id: "51", name: "a received block's hash is not compared", edits: []edit{
		{"snapshot/receiver.go", "blockHash(c.hash, b[:blockHeaderBytes-hashBytes], b[blockHeaderBytes:n]) != h.hash {", "blockHash(c.hash, b[:blockHeaderBytes-hashBytes], b[blockHeaderBytes:n]) != h.hash && false {"},
	}},
	{id: "51b", name: "a snapshot that its sender can't read is offered again and again", edits: []edit{
		{"server/replica/snapshots.go", "	s.rotten = s.rotten || ev.Unreadable && ev.Last == s.newest.Last // else it was retired meanwhile\n", ""},
	}},
	{id: "52", name: "a snapshot's state is an entry behind its name", edits: []edit{
		{"server/state/export.go", "binary.AppendUvarint(append(b, exportVersion), e.view.applied)", "binary.AppendUvarint(append(b, exportVersion), e.view.applied-1)"},
		{"server/replica/snapshot_files.go", " || s.AppliedIndex() != uint64(last.Index) {", " {"},
	}},
}

package sim

import (
	"testing"

	"github.com/holdfast-db/holdfast/raft"
	"github.com/holdfast-db/holdfast/server/replica"
	"github.com/holdfast-db/holdfast/transport"
)

// TestMisframe: whatever was done to an entry, its frame's CRC is right and the
// entry's own is not; a message without entries is left alone.
func TestMisframe(t *testing.T) {
	w := newWorld(Options{Seed: 1})
	m := raft.Message{Type: raft.AppendEntries, From: 1, To: 2, Term: 3, Prev: raft.EntryID{Index: 7, Term: 2}}
	if w.net.misframe(transport.AppendMessageFrame(nil, &m)) != nil {
		t.Error("a message without entries was damaged in its entries")
	}
	for i := range 3 {
		e := raft.Entry{Index: raft.Index(8 + i), Term: 3, Type: raft.EntryCommand, Data: []byte("same")}
		e.CRC = raft.EntryCRC(e)
		m.Entries = append(m.Entries, e)
	}
	whole := transport.AppendMessageFrame(nil, &m)
	for range 200 {
		f, rest, err := transport.DecodeFrame(w.net.misframe(whole))
		if err != nil || len(rest) > 0 {
			t.Fatalf("the frame is damaged: %v, %d bytes left", err, len(rest))
		}
		if _, err := replica.DecodeFrame(1, f); err == nil {
			t.Fatal("the entries are as they were")
		}
	}
	if f, _, err := transport.DecodeFrame(whole); err != nil {
		t.Error(err)
	} else if _, err := replica.DecodeFrame(1, f); err != nil {
		t.Errorf("the frame that was copied has changed: %v", err)
	}
}

package sim

import (
	"bytes"
	"slices"

	"github.com/holdfast-db/holdfast/raft"
	"github.com/holdfast-db/holdfast/server/replica"
	"github.com/holdfast-db/holdfast/transport"
)

// What is damaged in a sender's memory, before its frame is made, travels under
// a CRC that is right. Entries and snapshots carry sums of their own, made where
// they were made, so that the receiver still sees it.

// misframe returns the frame of a message whose entries were damaged before it
// was encoded; nil if it has none.
func (n *network) misframe(frame []byte) []byte {
	f, _, err := transport.DecodeFrame(frame)
	if err != nil || f.Kind != transport.KindRaft {
		return nil
	}
	m, err := transport.DecodeMessage(f.Payload)
	if err != nil || len(m.Entries) == 0 {
		return nil
	}
	m.Entries = slices.Clone(m.Entries)
	n.spoilEntry(m.Entries)
	for i := range m.Entries {
		m.Entries[i].Index = m.Prev.Index + 1 + raft.Index(i) // which is where the receiver takes it to stand
	}
	return transport.AppendMessageFrame(nil, &m)
}

// spoilEntry changes a part of one entry: its payload, its term, what it is, or
// where it stands.
func (n *network) spoilEntry(es []raft.Entry) {
	e := &es[n.draw.IntN(len(es))]
	switch k := n.draw.IntN(4); {
	case k == 0 && len(e.Data) > 0:
		e.Data = bytes.Clone(e.Data)
		e.Data[n.draw.IntN(len(e.Data))] ^= 1 << n.draw.IntN(8)
	case k == 1:
		e.Term ^= 1 << n.draw.IntN(3)
	case k == 2 && len(es) > 1:
		es[0], es[1] = es[1], es[0]
	default:
		e.Type = (e.Type + 1 + raft.EntryType(n.draw.IntN(2))) % (raft.EntryConfig + 1)
	}
}

// arriveMisframed: the entry's own CRC must tell.
func (n *network) arriveMisframed(from, to raft.NodeID, frame []byte) {
	f, _, err := transport.DecodeFrame(frame)
	if err == nil {
		_, err = replica.DecodeFrame(from, f)
	}
	if err == nil {
		n.w.unsafe("S2 damaged entries are refused", uint8(to), "a message of n%d with a damaged entry was taken", from)
	}
}

// spoil damages a chunk before its frame is made: a bit, or what the buffer held
// before is still there. The stream is then tainted: it must not come to its end.
func (s *outgoing) spoil(chunk []byte) {
	before, d := bytes.Clone(chunk), s.from.w.net.draw
	if len(s.before) > 0 && d.percent(50) {
		copy(chunk, s.before)
	} else {
		chunk[d.IntN(len(chunk))] ^= 1 << d.IntN(8)
	}
	if !bytes.Equal(before, chunk) {
		s.tainted = true
		s.from.w.count.add("chunks damaged before they were framed")
	}
}

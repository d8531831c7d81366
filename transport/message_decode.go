package transport

import (
	"fmt"

	"github.com/holdfast-db/holdfast/raft"
)

// DecodeMessage reads one message that fills b. Entries are verified against
// their own CRC, which covers index and term too, so a damaged or spliced
// entry never reaches raft. The Data of the entries aliases b: b must not be
// modified as long as they live. Errors wrap ErrMalformed.
func DecodeMessage(b []byte) (raft.Message, error) {
	c := cursor{rest: b}
	var m raft.Message
	m.Type = raft.MessageType(c.u8("type"))
	if reserved := c.u8("reserved"); reserved != 0 {
		c.fail("reserved byte %d", reserved)
	}
	f := fields(c.u16("fields"))
	m.From = raft.NodeID(c.u64("from"))
	m.To = raft.NodeID(c.u64("to"))
	m.Incarnation = raft.Incarnation(c.u64("incarnation"))
	m.Term = raft.Term(c.u64("term"))
	checkEnvelope(&c, m.Type, f)
	decodeFields(&c, f, &m)
	if len(c.rest) != 0 {
		c.fail("%d bytes behind the message", len(c.rest))
	}
	if c.err == nil && fieldsOf(&m) != f {
		c.fail("a field is announced and zero (announced %014b, found %014b)", f, fieldsOf(&m))
	}
	if c.err != nil {
		return raft.Message{}, fmt.Errorf("message: %w", c.err)
	}
	return m, nil
}

func checkEnvelope(c *cursor, t raft.MessageType, f fields) {
	switch {
	case c.err != nil:
	case !knownType(t):
		c.fail("unknown type %d", t)
	case f >= fieldsEnd:
		c.fail("unknown fields %04x", uint16(f))
	case t == raft.InstallSnapshot && f&hasSnapshot == 0:
		c.fail("InstallSnapshot without a snapshot")
	case t == raft.Disown && f&hasFence == 0:
		c.fail("Disown without what is remembered")
	}
}

func decodeFields(c *cursor, f fields, m *raft.Message) {
	m.Transfer, m.Reject = f&hasTransfer != 0, f&hasReject != 0
	if f&hasLogEnd != 0 {
		m.LogEnd = c.entryID("log end")
	}
	if f&hasPrev != 0 {
		m.Prev = c.entryID("prev")
	}
	if f&hasCommit != 0 {
		m.Commit = raft.Index(c.u64("commit"))
	}
	if f&hasMatch != 0 {
		m.Match = raft.Index(c.u64("match"))
	}
	if f&hasRejectedPrev != 0 {
		m.RejectedPrev = c.entryID("rejected prev")
	}
	if f&hasHint != 0 {
		m.Hint = c.entryID("hint")
	}
	if f&hasRound != 0 {
		m.Round = c.u64("round")
	}
	if f&hasRead != 0 {
		m.Read = decodeReadID(c)
	}
	if f&hasSnapshot != 0 {
		m.Snapshot = decodeSnapshotMeta(c)
	}
	if f&hasEntries != 0 {
		m.Entries = decodeEntries(c, m.Prev)
	}
	if f&hasLife != 0 {
		m.Life = decodeLife(c)
	}
	if f&hasFence != 0 {
		m.Fence = decodeFence(c)
	}
}

func decodeLife(c *cursor) raft.Life {
	return raft.Life{
		Boot: c.u64("boot"), Nonce: c.u64("nonce"),
		Term: raft.Term(c.u64("boot term")), Last: raft.Index(c.u64("boot last")),
	}
}

func decodeFence(c *cursor) *raft.Fence {
	return &raft.Fence{Nonce: c.u64("fenced nonce"), Mark: raft.PeerMark{
		ID: raft.NodeID(c.u64("mark id")), Incarnation: raft.Incarnation(c.u64("mark incarnation")),
		Boot: c.u64("mark boot"), Nonce: c.u64("mark nonce"),
		Term: raft.Term(c.u64("mark term")), Match: raft.Index(c.u64("mark match")),
	}}
}

func decodeReadID(c *cursor) raft.ReadID {
	return raft.ReadID{
		Node:        raft.NodeID(c.u64("read node")),
		Incarnation: raft.Incarnation(c.u64("read incarnation")),
		Boot:        c.u64("read boot"),
		Seq:         c.u64("read seq"),
	}
}

func decodeSnapshotMeta(c *cursor) *raft.SnapshotMeta {
	length := c.u32("snapshot length")
	if length > SnapshotMetaBytesMax {
		c.fail("snapshot description of %d bytes, at most %d allowed", length, SnapshotMetaBytesMax)
	}
	b := c.bytes(int(length), "snapshot")
	if c.err != nil {
		return nil
	}
	meta, err := raft.DecodeSnapshotMeta(b)
	if err != nil {
		c.fail("snapshot: %v", err)
		return nil
	}
	return &meta
}

package transport

import (
	"encoding/binary"
	"fmt"

	"github.com/holdfast-db/holdfast/raft"
)

// A message is an envelope of 36 bytes, then the fields that are not zero, in
// the order of their bits. All integers are little-endian.
//
//	 0      1      2        4       12      20            28       36
//	 ├──────┼──────┼────────┼───────┼───────┼─────────────┼────────┼─────────┐
//	 │ type │ 0    │ fields │ from  │ to    │ incarnation │ term   │ fields… │
//	 │ u8   │ u8   │ u16    │ u64   │ u64   │ u64         │ u64    │         │
//	 └──────┴──────┴────────┴───────┴───────┴─────────────┴────────┴─────────┘
//
//	bit  field          bytes
//	 0   Transfer       none: the bit is the value
//	 1   Reject         none
//	 2   LogEnd         term u64, index u64
//	 3   Prev           term u64, index u64
//	 4   Commit         u64
//	 5   Match          u64
//	 6   RejectedPrev   term u64, index u64
//	 7   Hint           term u64, index u64
//	 8   Round          u64
//	 9   Read           node u64, incarnation u64, boot u64, seq u64
//	10   Snapshot       length u32, raft's own encoding
//	11   Entries        see entries.go
//	12   Life           boot u64, nonce u64, term u64, last u64
//	13   Fence          nonce u64; mark: id u64, incarnation u64, boot u64, nonce u64, term u64, match u64
//
// A bit stands exactly for a non-zero field, so every message has one encoding
// and every encoding at most one message. Which fields a type uses is raft's
// affair (the table at raft.MessageType): a codec that knew it too would drop,
// without a word, a field that raft begins to use.
const envelopeBytes = 36

type fields uint16

const (
	hasTransfer fields = 1 << iota
	hasReject
	hasLogEnd
	hasPrev
	hasCommit
	hasMatch
	hasRejectedPrev
	hasHint
	hasRound
	hasRead
	hasSnapshot
	hasEntries
	hasLife
	hasFence
	fieldsEnd
)

// SnapshotMetaBytesMax bounds the description of a snapshot in a message.
const SnapshotMetaBytesMax = 64 << 10

// AppendMessage appends the encoding of m. It panics on what raft never
// builds: an unknown type, entries that don't follow Prev, more than
// EntriesMax of them.
func AppendMessage(dst []byte, m *raft.Message) []byte {
	if !knownType(m.Type) {
		panic(fmt.Sprintf("transport: message of unknown type %d", m.Type))
	}
	f := fieldsOf(m)
	le := binary.LittleEndian
	dst = append(dst, byte(m.Type), 0)
	dst = le.AppendUint16(dst, uint16(f))
	dst = le.AppendUint64(dst, uint64(m.From))
	dst = le.AppendUint64(dst, uint64(m.To))
	dst = le.AppendUint64(dst, uint64(m.Incarnation))
	dst = le.AppendUint64(dst, uint64(m.Term))
	return appendFields(dst, f, m)
}

// AppendMessageFrame appends a whole KindRaft frame holding m, without a copy
// in between.
func AppendMessageFrame(dst []byte, m *raft.Message) []byte {
	dst, start := beginFrame(dst, KindRaft)
	return endFrame(AppendMessage(dst, m), start)
}

// MessageBytesHint is the size of m's frame, near enough to size a buffer.
func MessageBytesHint(m *raft.Message) int {
	size := FrameHeaderBytes + envelopeBytes + 224
	for i := range m.Entries {
		size += entryHeaderBytes + len(m.Entries[i].Data)
	}
	if m.Snapshot != nil {
		size += 256 * (1 + len(m.Snapshot.Config.Config.Members))
	}
	return size
}

func knownType(t raft.MessageType) bool {
	return t > raft.MessageNone && t <= raft.Disown
}

func fieldsOf(m *raft.Message) fields {
	var f fields
	set := func(bit fields, present bool) {
		if present {
			f |= bit
		}
	}
	set(hasTransfer, m.Transfer)
	set(hasReject, m.Reject)
	set(hasLogEnd, m.LogEnd != raft.EntryID{})
	set(hasPrev, m.Prev != raft.EntryID{})
	set(hasCommit, m.Commit != 0)
	set(hasMatch, m.Match != 0)
	set(hasRejectedPrev, m.RejectedPrev != raft.EntryID{})
	set(hasHint, m.Hint != raft.EntryID{})
	set(hasRound, m.Round != 0)
	set(hasRead, m.Read != raft.ReadID{})
	set(hasSnapshot, m.Snapshot != nil)
	set(hasEntries, len(m.Entries) != 0)
	set(hasLife, m.Life != raft.Life{})
	set(hasFence, m.Fence != nil)
	return f
}

func appendFields(dst []byte, f fields, m *raft.Message) []byte {
	le := binary.LittleEndian
	if f&hasLogEnd != 0 {
		dst = appendEntryID(dst, m.LogEnd)
	}
	if f&hasPrev != 0 {
		dst = appendEntryID(dst, m.Prev)
	}
	if f&hasCommit != 0 {
		dst = le.AppendUint64(dst, uint64(m.Commit))
	}
	if f&hasMatch != 0 {
		dst = le.AppendUint64(dst, uint64(m.Match))
	}
	if f&hasRejectedPrev != 0 {
		dst = appendEntryID(dst, m.RejectedPrev)
	}
	if f&hasHint != 0 {
		dst = appendEntryID(dst, m.Hint)
	}
	if f&hasRound != 0 {
		dst = le.AppendUint64(dst, m.Round)
	}
	if f&hasRead != 0 {
		dst = appendReadID(dst, m.Read)
	}
	if f&hasSnapshot != 0 {
		dst = appendSnapshotMeta(dst, m.Snapshot)
	}
	if f&hasEntries != 0 {
		dst = appendEntries(dst, m.Prev, m.Entries)
	}
	if f&hasLife != 0 {
		dst = appendLife(dst, m.Life)
	}
	if f&hasFence != 0 {
		dst = appendFence(dst, m.Fence)
	}
	return dst
}

func appendLife(dst []byte, l raft.Life) []byte {
	le := binary.LittleEndian
	dst = le.AppendUint64(dst, l.Boot)
	dst = le.AppendUint64(dst, l.Nonce)
	dst = le.AppendUint64(dst, uint64(l.Term))
	return le.AppendUint64(dst, uint64(l.Last))
}

func appendFence(dst []byte, f *raft.Fence) []byte {
	m := &f.Mark
	for _, v := range [...]uint64{
		f.Nonce, uint64(m.ID), uint64(m.Incarnation), m.Boot, m.Nonce, uint64(m.Term), uint64(m.Match),
	} {
		dst = binary.LittleEndian.AppendUint64(dst, v)
	}
	return dst
}

func appendEntryID(dst []byte, id raft.EntryID) []byte {
	dst = binary.LittleEndian.AppendUint64(dst, uint64(id.Term))
	return binary.LittleEndian.AppendUint64(dst, uint64(id.Index))
}

func appendReadID(dst []byte, id raft.ReadID) []byte {
	le := binary.LittleEndian
	dst = le.AppendUint64(dst, uint64(id.Node))
	dst = le.AppendUint64(dst, uint64(id.Incarnation))
	dst = le.AppendUint64(dst, id.Boot)
	return le.AppendUint64(dst, id.Seq)
}

func appendSnapshotMeta(dst []byte, meta *raft.SnapshotMeta) []byte {
	start := len(dst)
	dst = raft.AppendSnapshotMeta(append(dst, 0, 0, 0, 0), *meta)
	length := len(dst) - start - 4
	if length > SnapshotMetaBytesMax {
		panic(fmt.Sprintf("transport: snapshot description of %d bytes, at most %d fit", length, SnapshotMetaBytesMax))
	}
	binary.LittleEndian.PutUint32(dst[start:], uint32(length))
	return dst
}

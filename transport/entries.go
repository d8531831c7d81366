package transport

import (
	"encoding/binary"
	"fmt"
	"math"

	"github.com/holdfast-db/holdfast/raft"
)

// The entries of a message follow its Prev without a gap, so that their
// indexes need not be sent: entry i (from 0) stands at Prev.Index + 1 + i.
//
//	├─────────┼───── count times ───────────────────────────────┐
//	│ count   │ term   │ type │ length │ CRC    │ data          │
//	│ u32 ≥ 1 │ u64    │ u8   │ u32    │ u32    │ length B      │
//	└─────────┴────────┴──────┴────────┴────────┴───────────────┘
//
// CRC is raft.EntryCRC: made once by the leader, it covers type, index, term
// and data, and is the one that the log stores.
const entryHeaderBytes = 17

// EntriesMax bounds the entries of one message.
const EntriesMax = 1 << 16

func appendEntries(dst []byte, prev raft.EntryID, entries []raft.Entry) []byte {
	if len(entries) > EntriesMax {
		panic(fmt.Sprintf("transport: %d entries in a message, at most %d fit", len(entries), EntriesMax))
	}
	le := binary.LittleEndian
	dst = le.AppendUint32(dst, uint32(len(entries)))
	for i := range entries {
		e := &entries[i]
		if e.Index != prev.Index+1+raft.Index(i) {
			panic(fmt.Sprintf("transport: entry %v is number %d after %v", e.ID(), i+1, prev))
		}
		dst = le.AppendUint64(dst, uint64(e.Term))
		dst = append(dst, byte(e.Type))
		dst = le.AppendUint32(dst, uint32(len(e.Data)))
		dst = le.AppendUint32(dst, e.CRC)
		dst = append(dst, e.Data...)
	}
	return dst
}

func decodeEntries(c *cursor, prev raft.EntryID) []raft.Entry {
	count := int(c.u32("entry count"))
	// The second limit is what the bytes at hand can hold: nothing is
	// allocated for entries that were only announced.
	if count == 0 || count > EntriesMax || count > len(c.rest)/entryHeaderBytes {
		c.fail("%d entries announced, %d bytes follow", count, len(c.rest))
	}
	if prev.Index > math.MaxUint64-raft.Index(EntriesMax) {
		c.fail("entries after %v", prev)
	}
	if c.err != nil {
		return nil
	}
	entries := make([]raft.Entry, count)
	for i := range entries {
		e := &entries[i]
		e.Index = prev.Index + 1 + raft.Index(i)
		decodeEntry(c, e)
	}
	if c.err != nil {
		return nil
	}
	return entries
}

func decodeEntry(c *cursor, e *raft.Entry) {
	e.Term = raft.Term(c.u64("entry term"))
	e.Type = raft.EntryType(c.u8("entry type"))
	length := c.u32("entry length")
	e.CRC = c.u32("entry CRC")
	if uint64(length) > uint64(len(c.rest)) {
		c.fail("entry %v of %d bytes, %d follow", e.ID(), length, len(c.rest))
	}
	e.Data = c.bytes(int(length), "entry data")
	switch {
	case c.err != nil:
	case e.Type > raft.EntryConfig:
		c.fail("entry %v of unknown type %d", e.ID(), e.Type)
	case raft.EntryCRC(*e) != e.CRC:
		c.fail("entry %v has CRC %08x, computed %08x", e.ID(), e.CRC, raft.EntryCRC(*e))
	}
}

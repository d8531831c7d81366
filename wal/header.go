package wal

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"

	"github.com/holdfast-db/holdfast/raft"
)

// Kind says what a batch does to the log.
type Kind uint8

const (
	// KindAppend adds entries at the end.
	KindAppend Kind = iota + 1
	// KindTruncate drops the entries from First on, then adds its own: a
	// conflict with a new leader (Raft §5.3).
	KindTruncate
	// KindReset replaces the log by the position of an installed snapshot.
	KindReset
	// KindRepair puts entries back that were damaged; supersedes nothing.
	KindRepair
	// KindMark has no entries: hard state, and a newer synced position.
	KindMark
	// KindOpen is the first batch of a segment. It links to the position where
	// the log went on from, and does what its carried kind says.
	KindOpen
)

var kindNames = [...]string{
	KindAppend: "append", KindTruncate: "truncate", KindReset: "reset",
	KindRepair: "repair", KindMark: "mark", KindOpen: "open",
}

// String prints the kind as one word.
func (k Kind) String() string {
	if int(k) < len(kindNames) && kindNames[k] != "" {
		return kindNames[k]
	}
	return fmt.Sprintf("kind(%d)", uint8(k))
}

const (
	headerBytes = 128
	// batchMagic is xored with the segment's salt, so that what a recycled file
	// held before is never taken for part of the log.
	batchMagic = 0x48464241_54434831 // "HFBATCH1"
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// header opens every batch and is repeated as its trailer, in the last 128
// bytes of its last block. So no single bad sector hides what a batch held.
//
//	 0        8     12   13   14     16        24      28      32     36     40
//	 ┌────────┬─────┬────┬────┬──────┬─────────┬───────┬───────┬──────┬──────┐
//	 │ magic  │ CRC │kind│car-│ zero │ segment │ own   │payload│ rows │chain │
//	 │ ^ salt │     │    │ried│      │ seq     │ block │ bytes │      │      │
//	 ├────────┴┬────┴────┴┬───┴──────┴┬────────┴┬──────┴───────┴──────┴──────┘
//	40 first   48 last    56 last     64 prev   72 prev
//	 │ index   │ index    │ term      │ index   │ term    │
//	 ├─────────┼──────────┼───────────┼─────────┼─────────┼─────────┬────────┐
//	80 term    88 vote    96 commit   104 synced: seq   112 block   116      120
//	 │         │          │           │         │         │ payload │ spare 8│
//	 │         │          │           │         │         │ CRC     │ (zero) │
//	 └─────────┴──────────┴───────────┴─────────┴─────────┴─────────┴────────┘
//
// Integers are little-endian; the CRC is CRC-32C of the other 124 bytes. The
// entries are first to last = prev+1 to prev+n. In an open batch, synced is
// the link: the log goes on from there.
//
// Invariants (checked by valid):
//  1. first = prev index + 1, last = prev index + number of entries.
//  2. commit ≤ last, except in a repair.
//  3. synced is before the batch itself; in an open it is in an older segment.
//  4. The number of the block behind the batch is one (32 bits).
type header struct {
	kind, carried Kind
	pos           Pos
	payloadBytes  uint32
	rows          uint32
	chain         uint32
	last, prev    raft.EntryID
	hard          raft.HardState
	synced        Pos
	payloadCRC    uint32
	// crc is the header's own; set by encode and decode.
	crc uint32
}

// effect is what the batch does, whether or not it opens a segment.
func (h *header) effect() Kind {
	if h.kind == KindOpen {
		return h.carried
	}
	return h.kind
}

func (h *header) first() raft.Index { return h.prev.Index + 1 }

// entries is how many entries the batch holds; a reset has one row more, for
// the snapshot's configuration.
func (h *header) entries() int {
	if h.effect() == KindReset {
		return int(h.rows) - 1
	}
	return int(h.rows)
}

func batchBlocks(payloadBytes int) uint32 {
	return blocksFor(2*headerBytes + int64(payloadBytes))
}

func (h *header) blocks() uint32 { return batchBlocks(int(h.payloadBytes)) }

// end is the position behind the batch.
func (h *header) end() Pos { return Pos{h.pos.Seq, h.pos.Block + h.blocks()} }

// nextChain is the chain value of the batch that follows this one: it vouches
// for all that came before, since each CRC covers the chain value before it.
func (h *header) nextChain() uint32 {
	var b [8]byte
	binary.LittleEndian.PutUint32(b[0:], h.chain)
	binary.LittleEndian.PutUint32(b[4:], h.crc)
	return crc32.Checksum(b[:], castagnoli)
}

// encode fills b[:headerBytes] and sets h.crc.
func (h *header) encode(b []byte, salt uint64) {
	le := binary.LittleEndian
	b = b[:headerBytes]
	clear(b)
	le.PutUint64(b[0:], batchMagic^salt)
	b[12], b[13] = byte(h.kind), byte(h.carried)
	le.PutUint64(b[16:], h.pos.Seq)
	le.PutUint32(b[24:], h.pos.Block)
	le.PutUint32(b[28:], h.payloadBytes)
	le.PutUint32(b[32:], h.rows)
	le.PutUint32(b[36:], h.chain)
	le.PutUint64(b[40:], uint64(h.first()))
	le.PutUint64(b[48:], uint64(h.last.Index))
	le.PutUint64(b[56:], uint64(h.last.Term))
	le.PutUint64(b[64:], uint64(h.prev.Index))
	le.PutUint64(b[72:], uint64(h.prev.Term))
	le.PutUint64(b[80:], uint64(h.hard.Term))
	le.PutUint64(b[88:], uint64(h.hard.Vote))
	le.PutUint64(b[96:], uint64(h.hard.Commit))
	le.PutUint64(b[104:], h.synced.Seq)
	le.PutUint32(b[112:], h.synced.Block)
	le.PutUint32(b[116:], h.payloadCRC)
	h.crc = headerCRC(b)
	le.PutUint32(b[8:], h.crc)
}

func headerCRC(b []byte) uint32 {
	c := crc32.Checksum(b[0:8], castagnoli)
	return crc32.Update(c, castagnoli, b[12:headerBytes])
}

// decodeHeader reads a header or trailer; false if it is none of this salt.
func decodeHeader(b []byte, salt uint64) (header, bool) {
	le := binary.LittleEndian
	if len(b) < headerBytes || le.Uint64(b) != batchMagic^salt || le.Uint32(b[8:]) != headerCRC(b) {
		return header{}, false
	}
	h := header{
		kind: Kind(b[12]), carried: Kind(b[13]),
		pos:          Pos{le.Uint64(b[16:]), le.Uint32(b[24:])},
		payloadBytes: le.Uint32(b[28:]),
		rows:         le.Uint32(b[32:]),
		chain:        le.Uint32(b[36:]),
		last:         raft.EntryID{Index: raft.Index(le.Uint64(b[48:])), Term: raft.Term(le.Uint64(b[56:]))},
		prev:         raft.EntryID{Index: raft.Index(le.Uint64(b[64:])), Term: raft.Term(le.Uint64(b[72:]))},
		hard: raft.HardState{
			Term: raft.Term(le.Uint64(b[80:])), Vote: raft.NodeID(le.Uint64(b[88:])), Commit: raft.Index(le.Uint64(b[96:])),
		},
		synced:     Pos{le.Uint64(b[104:]), le.Uint32(b[112:])},
		payloadCRC: le.Uint32(b[116:]),
		crc:        le.Uint32(b[8:]),
	}
	return h, raft.Index(le.Uint64(b[40:])) == h.first() && h.valid()
}

// valid checks what a CRC can't: that the fields fit together. A header with a
// right CRC and a wrong sense comes from a bug or from an attacker's file.
func (h *header) valid() bool {
	switch effect := h.effect(); {
	case h.pos.Seq == 0 || h.pos.Block == 0:
		return false
	case effect < KindAppend || effect > KindMark || h.kind == KindOpen && effect == KindRepair:
		return false
	case h.kind != KindOpen && h.carried != 0:
		return false
	case (h.kind == KindOpen) != (h.pos.Block == 1):
		return false
	case effect == KindReset && h.rows == 0 || effect == KindMark && h.rows != 0:
		return false
	case h.payloadBytes > batchBytesMax || uint64(h.payloadBytes) < tableBytes(h.rows):
		return false
	case h.end().Block <= h.pos.Block:
		return false
	case h.prev.Index+raft.Index(h.entries()) != h.last.Index || h.last.Index < h.prev.Index:
		return false
	case effect != KindRepair && h.hard.Commit > h.last.Index:
		return false
	case h.kind == KindOpen:
		return h.synced.Seq < h.pos.Seq
	}
	return !h.pos.Before(h.synced)
}

package wal

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"slices"

	"github.com/holdfast-db/holdfast/raft"
)

// rowConfig is the type of the row that holds a reset's configuration.
const rowConfig raft.EntryType = 255

// rowBytes is the size of a row of the identity table:
//
//	0         8         16       20      24     25      28
//	┌─────────┬─────────┬────────┬───────┬──────┬───────┐
//	│ index   │ term    │ length │ CRC   │ type │ zero  │
//	└─────────┴─────────┴────────┴───────┴──────┴───────┘
//
// The rows are followed by a CRC-32C of them all, then by the entries' data,
// back to back. So a batch is, from its first block to its last:
//
//	┌────────┬───────┬───────┬─────┬───────────────┬─────────┬─────────┐
//	│ header │ row 1 │ row 2 │ CRC │ data 1 data 2 │ zeros   │ trailer │
//	│ 128    │ 28    │ 28    │ 4   │               │ to fill │ 128     │
//	└────────┴───────┴───────┴─────┴───────────────┴─────────┴─────────┘
//	          └────────── payload ─────────────────┘          end of block
//
// The CRC of a row is the entry's own: it covers type, index, term and data,
// and is the one that travels to the peers.
const rowBytes = 28

// tableBytes is the size of the table and its CRC; no rows need no table.
func tableBytes(rows uint32) uint64 {
	if rows == 0 {
		return 0
	}
	return uint64(rows)*rowBytes + 4
}

// batch is what is to be written; the writer adds position, chain and CRCs.
type batch struct {
	kind Kind
	prev raft.EntryID
	hard raft.HardState
	// config is the snapshot's, for a reset only.
	config  *raft.ConfigAt
	entries []raft.Entry
	// mustSync is false where SyncNone may skip the sync.
	mustSync bool
}

func (b *batch) last() raft.EntryID {
	if n := len(b.entries); n > 0 {
		return b.entries[n-1].ID()
	}
	return b.prev
}

// configEntry dresses the configuration of a reset as a row of the table.
func configEntry(c raft.ConfigAt) raft.Entry {
	e := raft.Entry{Index: c.At.Index, Term: c.At.Term, Type: rowConfig, Data: raft.AppendConfiguration(nil, c.Config)}
	e.CRC = raft.EntryCRC(e)
	return e
}

// encoder turns batches into blocks. Its buffer is reused: the result of one
// call is overwritten by the next.
type encoder struct {
	buf  []byte
	rows []raft.Entry
}

// payloadBytes is the size of the batch's table and data.
func payloadBytes(rows []raft.Entry) int {
	n := int(tableBytes(uint32(len(rows))))
	for i := range rows {
		n += len(rows[i].Data)
	}
	return n
}

// rowsOf lists what goes into the table: the configuration of a reset first.
func (e *encoder) rowsOf(b *batch) []raft.Entry {
	if b.config == nil {
		return b.entries
	}
	e.rows = append(append(e.rows[:0], configEntry(*b.config)), b.entries...)
	return e.rows
}

// encode fills in the sizes and CRCs of h and returns the batch's blocks.
func (e *encoder) encode(h *header, rows []raft.Entry, salt uint64) []byte {
	h.rows = uint32(len(rows))
	h.payloadBytes = uint32(payloadBytes(rows))
	size := int(h.blocks()) * blockBytes
	e.buf = slices.Grow(e.buf[:0], size)[:size]
	at := headerBytes
	if len(rows) > 0 {
		at = putTable(e.buf, rows)
		for i := range rows {
			at += copy(e.buf[at:], rows[i].Data)
		}
	}
	clear(e.buf[at : size-headerBytes])
	h.payloadCRC = crc32.Checksum(e.buf[headerBytes:at], castagnoli)
	h.encode(e.buf, salt)
	copy(e.buf[size-headerBytes:], e.buf[:headerBytes])
	return e.buf
}

// putTable writes the identity table behind the header and returns its end.
func putTable(buf []byte, rows []raft.Entry) int {
	le := binary.LittleEndian
	at := headerBytes
	for i := range rows {
		r := buf[at : at+rowBytes]
		le.PutUint64(r[0:], uint64(rows[i].Index))
		le.PutUint64(r[8:], uint64(rows[i].Term))
		le.PutUint32(r[16:], uint32(len(rows[i].Data)))
		le.PutUint32(r[20:], rows[i].CRC)
		le.PutUint32(r[24:], uint32(rows[i].Type))
		at += rowBytes
	}
	le.PutUint32(buf[at:], crc32.Checksum(buf[headerBytes:at], castagnoli))
	return at + 4
}

// row is an entry's identity and where its data lies in the payload.
type row struct {
	id   raft.EntryID
	typ  raft.EntryType
	crc  uint32
	at   uint64 // from the start of the payload
	size uint64
}

// entry joins the row with its data; false if the CRC says it is damaged.
// The data is not copied.
func (r row) entry(payload []byte) (raft.Entry, bool) {
	e := raft.Entry{Index: r.id.Index, Term: r.id.Term, Type: r.typ, CRC: r.crc}
	if r.at+r.size > uint64(len(payload)) {
		return e, false
	}
	e.Data = payload[r.at : r.at+r.size : r.at+r.size]
	return e, raft.EntryCRC(e) == r.crc
}

// decodeTable reads the identity table of a payload. An error tells that it is
// damaged or doesn't fit the header.
func decodeTable(h *header, payload []byte) ([]row, error) {
	le := binary.LittleEndian
	end := tableBytes(h.rows)
	if end == 0 {
		return nil, nil
	}
	if end > uint64(len(payload)) {
		return nil, fmt.Errorf("identity table of %d bytes is cut off", end)
	}
	if crc32.Checksum(payload[:end-4], castagnoli) != le.Uint32(payload[end-4:]) {
		return nil, fmt.Errorf("identity table of %d rows: CRC mismatch", h.rows)
	}
	rows := make([]row, h.rows)
	at := end
	for i := range rows {
		b := payload[i*rowBytes:]
		rows[i] = row{
			id:   raft.EntryID{Index: raft.Index(le.Uint64(b)), Term: raft.Term(le.Uint64(b[8:]))},
			size: uint64(le.Uint32(b[16:])), crc: le.Uint32(b[20:]), typ: raft.EntryType(b[24]), at: at,
		}
		at += rows[i].size
	}
	if at != uint64(h.payloadBytes) {
		return nil, fmt.Errorf("identity table tells of %d bytes, header of %d", at, h.payloadBytes)
	}
	return rows, checkRows(h, rows)
}

// checkRows holds the table against the header: indexes without a gap, terms
// that never fall, and the last entry that the header promises.
func checkRows(h *header, rows []row) error {
	if h.effect() == KindReset {
		if rows[0].typ != rowConfig {
			return fmt.Errorf("reset without a configuration")
		}
		rows = rows[1:]
	}
	prev := h.prev
	for _, r := range rows {
		if r.id.Index != prev.Index+1 || r.id.Term < prev.Term || r.typ == rowConfig {
			return fmt.Errorf("row %v (type %d) after %v", r.id, r.typ, prev)
		}
		prev = r.id
	}
	if prev != h.last {
		return fmt.Errorf("last row %v, header says %v", prev, h.last)
	}
	return nil
}

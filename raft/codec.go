package raft

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
)

// ErrMalformed is wrapped by every decoding error.
var ErrMalformed = errors.New("raft: malformed encoding")

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// EntryCRC returns the CRC-32C of what an entry is: type, index and term as 17
// bytes (the numbers little-endian), then the payload. It goes unchanged to the log
// and to the peers, so an entry damaged or misplaced anywhere is found.
//
//	┌──────┬───────────┬──────────┬─────────┐
//	│ type │ index u64 │ term u64 │ data …  │   → CRC-32C
//	│  1   │     8     │    8     │         │
//	└──────┴───────────┴──────────┴─────────┘
func EntryCRC(e Entry) uint32 {
	var head [17]byte
	head[0] = byte(e.Type)
	binary.LittleEndian.PutUint64(head[1:], uint64(e.Index))
	binary.LittleEndian.PutUint64(head[9:], uint64(e.Term))
	// By hand, since head would escape to the heap for each entry otherwise.
	crc := ^uint32(0)
	for _, b := range head {
		crc = castagnoli[byte(crc)^b] ^ crc>>8
	}
	return crc32.Update(^crc, castagnoli, e.Data)
}

const (
	configurationVersion = 1
	snapshotMetaVersion  = 1
)

// Flags of a member's row.
const (
	flagVoter = 1 << iota
	flagOldVoter
	flagLeaving
	flagJoining
	flagsAll = flagVoter | flagOldVoter | flagLeaving | flagJoining
)

// AppendConfiguration appends the encoding of c to dst.
//
//	┌─────────┬───────┬ each member ───────────────────────────────────────┬─────────────┐
//	│ version │ count │ id │ incarnation │ flags │ address length │ address │ ctx len│ctx │
//	│ 1 (=1)  │ uv    │ uv │ 8 LE        │ 1     │ uv             │ …       │ uv     │ …  │
//	└─────────┴───────┴────┴─────────────┴───────┴────────────────┴─────────┴────────┴────┘
//
// uv: unsigned varint, shortest form. flags: 1 voter, 2 old voter, 4 leaving, 8 joining.
// One configuration has one encoding.
func AppendConfiguration(dst []byte, c Configuration) []byte {
	dst = append(dst, configurationVersion)
	dst = binary.AppendUvarint(dst, uint64(len(c.Members)))
	for _, m := range c.Members {
		dst = binary.AppendUvarint(dst, uint64(m.ID))
		dst = binary.LittleEndian.AppendUint64(dst, uint64(m.Incarnation))
		dst = append(dst, m.flags())
		dst = binary.AppendUvarint(dst, uint64(len(m.Address)))
		dst = append(dst, m.Address...)
	}
	dst = binary.AppendUvarint(dst, uint64(len(c.Context)))
	return append(dst, c.Context...)
}

func (m *Member) flags() byte {
	var f byte
	if m.Voter {
		f |= flagVoter
	}
	if m.OldVoter {
		f |= flagOldVoter
	}
	if m.Leaving {
		f |= flagLeaving
	}
	if m.Joining {
		f |= flagJoining
	}
	return f
}

// DecodeConfiguration is the inverse of AppendConfiguration; b must hold
// nothing else. Errors wrap ErrMalformed. The result does not alias b.
func DecodeConfiguration(b []byte) (Configuration, error) {
	d := decoder{b: b}
	c := d.configuration()
	return c, d.finish()
}

// AppendSnapshotMeta appends the encoding of m to dst.
//
//	┌─────────┬───────────┬────────────┬─────────────┬──────────────┬───────────────┐
//	│ version │ last term │ last index │ config term │ config index │ configuration │
//	│ 1 (=1)  │ uv        │ uv         │ uv          │ uv           │ as above      │
//	└─────────┴───────────┴────────────┴─────────────┴──────────────┴───────────────┘
func AppendSnapshotMeta(dst []byte, m SnapshotMeta) []byte {
	dst = append(dst, snapshotMetaVersion)
	for _, id := range [...]EntryID{m.Last, m.Config.At} {
		dst = binary.AppendUvarint(dst, uint64(id.Term))
		dst = binary.AppendUvarint(dst, uint64(id.Index))
	}
	return AppendConfiguration(dst, m.Config.Config)
}

// DecodeSnapshotMeta is the inverse of AppendSnapshotMeta; b must hold nothing
// else. Errors wrap ErrMalformed. The result does not alias b.
func DecodeSnapshotMeta(b []byte) (SnapshotMeta, error) {
	d := decoder{b: b}
	d.version(snapshotMetaVersion)
	var m SnapshotMeta
	m.Last = d.entryID()
	m.Config.At = d.entryID()
	m.Config.Config = d.configuration()
	if err := d.finish(); err != nil {
		return SnapshotMeta{}, err
	}
	if err := m.Check(); err != nil {
		return SnapshotMeta{}, err
	}
	return m, nil
}

// Check verifies that the metadata does not contradict itself.
func (m *SnapshotMeta) Check() error {
	if m.Config.At.Index > m.Last.Index || m.Config.At.Term > m.Last.Term {
		return fmt.Errorf("%w: configuration at %s in a snapshot up to %s", ErrMalformed, m.Config.At, m.Last)
	}
	if (m.Last.Index == 0) != (m.Last.Term == 0) {
		return fmt.Errorf("%w: snapshot up to %s", ErrMalformed, m.Last)
	}
	if m.Last.Index > indexMax {
		return fmt.Errorf("%w: index out of range", ErrMalformed)
	}
	if err := m.Config.Config.Check(); err != nil {
		return fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	return nil
}

// decoder reads from b; the first error sticks and everything after reads as 0.
type decoder struct {
	b   []byte
	err error
}

func (d *decoder) fail(what string) {
	if d.err == nil {
		d.err = fmt.Errorf("%w: %s", ErrMalformed, what)
	}
	d.b = nil
}

func (d *decoder) finish() error {
	if d.err == nil && len(d.b) > 0 {
		d.fail("bytes left over")
	}
	return d.err
}

func (d *decoder) uvarint() uint64 {
	v, n := binary.Uvarint(d.b)
	if n <= 0 || n > 1 && d.b[n-1] == 0 {
		d.fail("varint")
		return 0
	}
	d.b = d.b[n:]
	return v
}

func (d *decoder) take(n int) []byte {
	if n > len(d.b) {
		d.fail("cut short")
		return nil
	}
	v := d.b[:n]
	d.b = d.b[n:]
	return v
}

func (d *decoder) byte() byte {
	if v := d.take(1); v != nil {
		return v[0]
	}
	return 0
}

func (d *decoder) uint64() uint64 {
	if v := d.take(8); v != nil {
		return binary.LittleEndian.Uint64(v)
	}
	return 0
}

// bytes reads a length and that many bytes.
func (d *decoder) bytes(bytesMax int) []byte {
	n := d.uvarint()
	if n > uint64(bytesMax) {
		d.fail("length out of bounds")
		return nil
	}
	return d.take(int(n))
}

func (d *decoder) version(want byte) {
	if v := d.byte(); d.err == nil && v != want {
		d.fail(fmt.Sprintf("version %d, want %d", v, want))
	}
}

func (d *decoder) entryID() EntryID {
	return EntryID{Term: Term(d.uvarint()), Index: Index(d.uvarint())}
}

func (d *decoder) configuration() Configuration {
	d.version(configurationVersion)
	n := d.uvarint()
	if n > MembersMax || n > uint64(len(d.b)) {
		d.fail("number of members")
		return Configuration{}
	}
	var c Configuration
	for range n {
		c.Members = append(c.Members, d.member())
	}
	if b := d.bytes(ContextBytesMax); len(b) > 0 {
		c.Context = append([]byte(nil), b...)
	}
	if d.err != nil {
		return Configuration{}
	}
	if err := c.Check(); err != nil {
		d.fail(err.Error())
		return Configuration{}
	}
	return c
}

func (d *decoder) member() Member {
	m := Member{ID: NodeID(d.uvarint()), Incarnation: Incarnation(d.uint64())}
	f := d.byte()
	if f&^flagsAll != 0 {
		d.fail("unknown member flags")
	}
	m.Voter, m.OldVoter, m.Leaving = f&flagVoter != 0, f&flagOldVoter != 0, f&flagLeaving != 0
	m.Joining = f&flagJoining != 0
	m.Address = string(d.bytes(AddressBytesMax))
	return m
}

package state

import (
	"encoding/binary"
	"fmt"

	"github.com/holdfast-db/holdfast/server/auth"
)

// Encoded is a Command whose body is encoded already. The core joins many of
// them into one log entry without looking inside.
type Encoded struct {
	ID     RequestID
	Term   uint64
	Caller auth.Caller
	Body   []byte
}

// batchVersion is the first byte of every batch; another one is another format.
const batchVersion = 2

// An entry's data, and a forwarded batch of requests, is:
//
//	+---------+-------+---------------------------------------------------+
//	| version | count | per command                                       |
//	| byte    | uvar. |                                                   |
//	+---------+-------+---------------------------------------------------+
//	  origin  byte: 0 nobody (Seq 0) · 1 as the command before · 2 follows:
//	          [member fixed64, incarnation fixed64, boot uvarint]
//	  seq     uvarint, absent with origin 0
//	  term    uvarint
//	  auth    uvarint: revision that the caller's proof is good for; 0: nobody
//	  user    bytes, his name; absent with auth 0
//	  body    bytes
//
// Most commands of a batch come from one member, so its 17 bytes or more are
// said once.
const (
	originNone byte = iota
	originSame
	originNew
)

const commandSizeMin = 4 // origin none, term, auth, empty body's length

// CommandOverheadMax bounds what AppendBatch adds to a command's body.
const CommandOverheadMax = 1 + 8 + 8 + 6*binary.MaxVarintLen64 + auth.NameBytesMax

// AppendBatch appends the encoding of a batch of commands. Bodies are copied
// as they are; they came from AppendBody.
func AppendBatch(dst []byte, batch []Encoded) []byte {
	dst = append(dst, batchVersion)
	dst = binary.AppendUvarint(dst, uint64(len(batch)))
	var origin RequestID
	for i := range batch {
		dst = appendOrigin(dst, &batch[i].ID, &origin)
		dst = binary.AppendUvarint(dst, batch[i].Term)
		dst = AppendCaller(dst, batch[i].Caller)
		dst = appendBytes(dst, batch[i].Body)
	}
	return dst
}

func appendOrigin(dst []byte, id, last *RequestID) []byte {
	switch {
	case id.Seq == 0:
		return append(dst, originNone)
	case last.Seq != 0 && sameOrigin(id, last):
		dst = append(dst, originSame)
	default:
		dst = append(dst, originNew)
		dst = binary.LittleEndian.AppendUint64(dst, id.Member)
		dst = binary.LittleEndian.AppendUint64(dst, id.Incarnation)
		dst = binary.AppendUvarint(dst, id.Boot)
	}
	*last = *id
	return binary.AppendUvarint(dst, id.Seq)
}

func sameOrigin(a, b *RequestID) bool {
	return a.Member == b.Member && a.Incarnation == b.Incarnation && a.Boot == b.Boot
}

// Batch reads a batch one command at a time:
//
//	b := OpenBatch(data)
//	for b.Next() {
//		use(b.Command)
//	}
//	if err := b.Err(); err != nil { … }
type Batch struct {
	// Command is the one that Next found. Its Body aliases the data.
	Command Encoded

	r      reader
	left   int
	origin RequestID
}

// OpenBatch starts to read a batch. Errors show at the first Next.
func OpenBatch(data []byte) Batch {
	b := Batch{r: reader{b: data}}
	if v := b.r.byte(); b.r.err == nil && v != batchVersion {
		b.r.unknown("batch version", uint64(v))
	}
	b.left = b.r.count(commandSizeMin)
	return b
}

// Len returns how many commands are left.
func (b *Batch) Len() int { return b.left }

// Next reads the next command, and tells whether there was one.
func (b *Batch) Next() bool {
	if b.left == 0 || b.r.err != nil {
		return false
	}
	b.left--
	b.Command = Encoded{
		ID:     b.id(),
		Term:   b.r.uvarint(),
		Caller: b.r.caller(),
		Body:   b.r.bytes(),
	}
	return b.r.err == nil
}

// AppendCaller encodes who asked, as a batch does: revision, and if there is one
// the name, which has at most auth.NameBytesMax bytes.
func AppendCaller(dst []byte, c auth.Caller) []byte {
	if c.Revision == 0 {
		return append(dst, 0)
	}
	return appendBytes(binary.AppendUvarint(dst, c.Revision), c.Name)
}

// DecodeCaller reads what AppendCaller wrote off the front of data.
func DecodeCaller(data []byte) (c auth.Caller, rest []byte, err error) {
	r := reader{b: data}
	c = r.caller()
	return c, r.b, r.err
}

func (r *reader) caller() auth.Caller {
	c := auth.Caller{Revision: r.uvarint()}
	if c.Revision == 0 {
		return c
	}
	name := r.bytes()
	if r.err == nil && (len(name) == 0 || len(name) > auth.NameBytesMax) {
		r.fail("caller's name empty or too long")
	}
	c.Name = string(name)
	return c
}

func (b *Batch) id() RequestID {
	tag := b.r.byte()
	switch {
	case tag == originNone:
		return RequestID{}
	case tag == originSame && b.origin.Seq != 0:
	case tag == originNew:
		next := RequestID{Member: b.r.fixed64(), Incarnation: b.r.fixed64(), Boot: b.r.uvarint()}
		if b.origin.Seq != 0 && sameOrigin(&next, &b.origin) {
			b.r.fail("origin repeated")
		}
		b.origin = next
	default:
		b.r.fail("bad origin")
		return RequestID{}
	}
	b.origin.Seq = b.r.uvarint()
	if b.origin.Seq == 0 {
		b.r.fail("origin without a sequence")
	}
	return b.origin
}

// Err returns what stopped Next before the batch's end, and counts bytes after
// the last command as an error.
func (b *Batch) Err() error {
	if b.left > 0 && b.r.err == nil {
		panic(fmt.Sprintf("state: Batch.Err with %d commands unread", b.left))
	}
	return b.r.close()
}

// AppendRequestID encodes a request id for a configuration's Context: member
// and incarnation fixed64, boot and sequence uvarint.
func AppendRequestID(dst []byte, id RequestID) []byte {
	dst = binary.LittleEndian.AppendUint64(dst, id.Member)
	dst = binary.LittleEndian.AppendUint64(dst, id.Incarnation)
	return binary.AppendUvarint(binary.AppendUvarint(dst, id.Boot), id.Seq)
}

// DecodeRequestID reads what AppendRequestID wrote; no bytes are no request.
func DecodeRequestID(data []byte) (RequestID, error) {
	if len(data) == 0 {
		return RequestID{}, nil
	}
	r := reader{b: data}
	id := RequestID{Member: r.fixed64(), Incarnation: r.fixed64(), Boot: r.uvarint(), Seq: r.uvarint()}
	return id, r.close()
}

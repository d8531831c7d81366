package replica

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/holdfast-db/holdfast/raft"
	"github.com/holdfast-db/holdfast/server/auth"
	"github.com/holdfast-db/holdfast/server/state"
	"github.com/holdfast-db/holdfast/transport"
)

// A follower sends its clients' requests to the leader in batches:
//
//	forward  = version u8 | incarnation u64le | boot uvarint | count uvarint | item…
//	item     = kind u8 | seq uvarint | caller | length uvarint | body
//	           caller: as in a batch (package state)
//	           kind: Write (body as in the log), KeepAlive or TimeToLive (body: lease, varint), or
//	           ChangeMember (body: AppendMemberChange)
//	reply    = version u8 | boot uvarint | count uvarint | answer…
//	answer   = code u8 | seq uvarint | ttl varint | granted varint
//
// A write that the leader took has no answer: the follower sees it in the log,
// under its request id. The frame around it carries length and CRC.
const forwardVersion = 2

// forwardItemsMax bounds a frame, before anything is allocated for it.
const forwardItemsMax = 1 << 16

var errForward = errors.New("replica: malformed forward frame")

// answerCode says what became of a forwarded request.
type answerCode uint8

const (
	answerOK answerCode = iota // keep-alives and TTLs
	answerNotLeader
	answerTooMany
	answerLeaderChanged
	answerMember // and so on: memberErrors
)

const answerCodes = answerMember + answerCode(len(memberErrors))

func (c answerCode) err() error {
	if c >= answerMember {
		return memberErrors[c-answerMember]
	}
	return [...]error{nil, ErrNotLeader, ErrTooManyRequests, ErrLeaderChanged}[c]
}

// answerTo maps a reply's error to the code that tells it to a follower.
func answerTo(err error) answerCode {
	switch {
	case err == nil:
		return answerOK
	case errors.Is(err, ErrTooManyRequests):
		return answerTooMany
	case errors.Is(err, ErrLeaderChanged):
		return answerLeaderChanged
	}
	return answerNotLeader
}

// forwardItem is one request on its way to the leader.
type forwardItem struct {
	kind   RequestKind
	seq    uint64
	caller auth.Caller
	body   []byte // aliases the frame
	lease  int64
}

// forwardBatch is a decoded KindForward payload.
type forwardBatch struct {
	incarnation, boot uint64
	items             []forwardItem
}

// appendForward encodes a complete frame.
func appendForward(incarnation, boot uint64, requests []*Request) []byte {
	b := []byte{forwardVersion}
	b = binary.LittleEndian.AppendUint64(b, incarnation)
	b = binary.AppendUvarint(b, boot)
	b = binary.AppendUvarint(b, uint64(len(requests)))
	for _, r := range requests {
		b = append(b, byte(r.Kind))
		b = binary.AppendUvarint(b, r.id.Seq)
		b = state.AppendCaller(b, r.Caller)
		body := r.Body
		if r.Kind != Write && r.Kind != ChangeMember {
			body = binary.AppendVarint(nil, r.Lease)
		}
		b = binary.AppendUvarint(b, uint64(len(body)))
		b = append(b, body...)
	}
	return transport.AppendFrame(nil, transport.KindForward, b)
}

func decodeForward(b []byte) (forwardBatch, error) {
	r := &payloadReader{rest: b}
	if v := r.byte(); r.err == nil && v != forwardVersion {
		return forwardBatch{}, fmt.Errorf("%w: version %d", errForward, v)
	}
	var f forwardBatch
	if in := r.bytes(8); len(in) == 8 {
		f.incarnation = binary.LittleEndian.Uint64(in)
	}
	f.boot = r.uvarint()
	n := r.count()
	for range n {
		it := forwardItem{kind: RequestKind(r.byte()), seq: r.uvarint(), caller: r.caller()}
		it.body = r.bytes(r.uvarint())
		switch it.kind {
		case Write, ChangeMember:
		case KeepAlive, TimeToLive:
			lease, used := binary.Varint(it.body)
			if used != len(it.body) || used == 0 {
				r.fail()
			}
			it.lease = lease
		default:
			r.fail()
		}
		if r.err != nil {
			return forwardBatch{}, r.err
		}
		f.items = append(f.items, it)
	}
	return f, r.end()
}

// check verifies the commands of a batch as those of own clients are before
// they are submitted: what no state machine can run must not get into the log,
// where every member would stop at it, at every start.
func (f *forwardBatch) check() error {
	for i := range f.items {
		it := &f.items[i]
		var err error
		switch it.kind {
		case Write:
			_, err = state.DecodeBody(it.body)
		case ChangeMember:
			_, err = DecodeMemberChange(it.body)
		default:
			continue
		}
		if err == nil && it.seq == 0 {
			err = errors.New("it has no number")
		}
		if err != nil {
			return fmt.Errorf("%w: command %d: %w", errForward, it.seq, err)
		}
	}
	return nil
}

// answer is one row of a KindForwardReply.
type answer struct {
	code         answerCode
	seq          uint64
	ttl, granted int64
}

func appendAnswers(boot uint64, answers []answer) []byte {
	b := []byte{forwardVersion}
	b = binary.AppendUvarint(b, boot)
	b = binary.AppendUvarint(b, uint64(len(answers)))
	for _, a := range answers {
		b = append(b, byte(a.code))
		b = binary.AppendUvarint(b, a.seq)
		b = binary.AppendVarint(b, a.ttl)
		b = binary.AppendVarint(b, a.granted)
	}
	return transport.AppendFrame(nil, transport.KindForwardReply, b)
}

// answerBatch is a decoded KindForwardReply payload.
type answerBatch struct {
	boot    uint64
	answers []answer
}

func decodeAnswers(b []byte) (answerBatch, error) {
	r := &payloadReader{rest: b}
	if v := r.byte(); r.err == nil && v != forwardVersion {
		return answerBatch{}, fmt.Errorf("%w: version %d", errForward, v)
	}
	batch := answerBatch{boot: r.uvarint()}
	n := r.count()
	for range n {
		a := answer{code: answerCode(r.byte()), seq: r.uvarint(), ttl: r.varint(), granted: r.varint()}
		if a.code >= answerCodes {
			r.fail()
		}
		if r.err != nil {
			return answerBatch{}, r.err
		}
		batch.answers = append(batch.answers, a)
	}
	return batch, r.end()
}

// DecodeFrame is the gate for what another member sends: a frame becomes an
// event of the core, or an error and the link is closed. It may run on the
// link's goroutine. Payloads are aliased, not copied.
func DecodeFrame(from raft.NodeID, f transport.Frame) (Event, error) {
	ev := FrameEvent{from: from}
	switch f.Kind {
	case transport.KindRaft:
		m, err := transport.DecodeMessage(f.Payload)
		if err != nil {
			return nil, err
		}
		if m.From != from {
			return nil, fmt.Errorf("replica: member %v sent a message of member %v", from, m.From)
		}
		if m.Type == raft.InstallSnapshot {
			// It tells raft that the file is here and durable, which only this
			// member's own driver can know (SnapshotArrivedEvent).
			return nil, fmt.Errorf("replica: member %v sent %v as a frame", from, m.Type)
		}
		ev.message = &m
	case transport.KindForward:
		batch, err := decodeForward(f.Payload)
		if err == nil {
			err = batch.check()
		}
		if err != nil {
			return nil, err
		}
		ev.forward = &batch
	case transport.KindForwardReply:
		batch, err := decodeAnswers(f.Payload)
		if err != nil {
			return nil, err
		}
		ev.answers = &batch
	default:
		return nil, fmt.Errorf("replica: frame of kind %v from member %v", f.Kind, from)
	}
	return ev, nil
}

// payloadReader reads a payload front to back; the first failure sticks.
type payloadReader struct {
	rest []byte
	err  error
}

func (r *payloadReader) fail() {
	if r.err == nil {
		r.err = errForward
	}
	r.rest = nil
}

func (r *payloadReader) byte() byte {
	if len(r.rest) == 0 {
		r.fail()
		return 0
	}
	b := r.rest[0]
	r.rest = r.rest[1:]
	return b
}

func (r *payloadReader) bytes(n uint64) []byte {
	if n > uint64(len(r.rest)) {
		r.fail()
		return nil
	}
	b := r.rest[:n:n]
	r.rest = r.rest[n:]
	return b
}

func (r *payloadReader) caller() auth.Caller {
	c, rest, err := state.DecodeCaller(r.rest)
	if err != nil {
		r.fail()
		return auth.Caller{}
	}
	r.rest = rest
	return c
}

func (r *payloadReader) uvarint() uint64 {
	v, n := binary.Uvarint(r.rest)
	if n <= 0 {
		r.fail()
		return 0
	}
	r.rest = r.rest[n:]
	return v
}

func (r *payloadReader) varint() int64 {
	v, n := binary.Varint(r.rest)
	if n <= 0 {
		r.fail()
		return 0
	}
	r.rest = r.rest[n:]
	return v
}

// count reads a number of items; each takes at least one byte of what follows.
func (r *payloadReader) count() uint64 {
	n := r.uvarint()
	if n > forwardItemsMax || n > uint64(len(r.rest)) {
		r.fail()
		return 0
	}
	return n
}

func (r *payloadReader) end() error {
	if r.err == nil && len(r.rest) > 0 {
		r.fail()
	}
	return r.err
}

package state

import (
	"encoding/binary"
	"fmt"

	"github.com/holdfast-db/holdfast/mvcc"
	"github.com/holdfast-db/holdfast/server/auth"
)

// A body is a kind and its fields (primitives: wire.go):
//
//	+------+---------------------------------------------------------------+
//	| kind | fields                                                        |
//	+------+---------------------------------------------------------------+
//	| 1    | put         flags, lease varint, key bytes, value bytes       |
//	| 2    | delete      flags, key bytes, end bytes                       |
//	| 3    | txn         compares, success, failure (txn.go)               |
//	| 4    | compact     revision varint                                   |
//	| 5    | grant       id varint, ttl varint                             |
//	| 6    | revoke      id varint, expired byte                           |
//	| 7    | checkpoint  count, {id varint, remaining varint}…             |
//	| 8    | alarm       activate byte, kind byte, member fixed64          |
//	| 9    | attributes  member fixed64, name bytes, client URLs: count, … |
//	| 32 … | login, and changes of users and roles (body_auth.go)         |
//	+------+---------------------------------------------------------------+
//
// A number is never given another meaning: what changes gets a new kind.
type bodyKind byte

const (
	kindPut bodyKind = iota + 1
	kindDelete
	kindTxn
	kindCompact
	kindLeaseGrant
	kindLeaseRevoke
	kindLeaseCheckpoint
	kindAlarm
	kindAttributes
)

const (
	putPrevKV byte = 1 << iota
	putIgnoreValue
	putIgnoreLease
	putFlags = putPrevKV | putIgnoreValue | putIgnoreLease
)

// EncodeBody checks a body and encodes it: the gate and AppendBody in one.
func EncodeBody(body Body) ([]byte, error) {
	if err := CheckBody(body); err != nil {
		return nil, err
	}
	return appendBody(nil, body), nil
}

// AppendBody appends the encoding of a body that CheckBody accepts, and panics
// on any other. It is called once a request, on the caller's goroutine; these
// same bytes then stand in the log and on the wire.
func AppendBody(dst []byte, body Body) []byte {
	if err := CheckBody(body); err != nil {
		panic(fmt.Sprintf("state: AppendBody of an unchecked body: %v", err))
	}
	return appendBody(dst, body)
}

func appendBody(dst []byte, body Body) []byte {
	switch b := body.(type) {
	case *mvcc.PutRequest:
		return appendPut(append(dst, byte(kindPut)), b)
	case *mvcc.DeleteRangeRequest:
		return appendDelete(append(dst, byte(kindDelete)), b)
	case *mvcc.TxnRequest:
		return appendTxn(append(dst, byte(kindTxn)), b)
	case *CompactRequest:
		return binary.AppendVarint(append(dst, byte(kindCompact)), b.Revision)
	case *LeaseGrantRequest:
		dst = binary.AppendVarint(append(dst, byte(kindLeaseGrant)), b.ID)
		return binary.AppendVarint(dst, b.TTL)
	case *LeaseRevokeRequest:
		dst = binary.AppendVarint(append(dst, byte(kindLeaseRevoke)), b.ID)
		return appendBool(dst, b.Expired)
	case *LeaseCheckpointRequest:
		return appendCheckpoints(binary.AppendUvarint(append(dst, byte(kindLeaseCheckpoint)), b.AsOf), b.Checkpoints)
	case *AlarmRequest:
		dst = appendBool(append(dst, byte(kindAlarm)), b.Activate)
		return binary.LittleEndian.AppendUint64(append(dst, byte(b.Kind)), b.Member)
	case *LoginRequest, auth.Change:
		return appendAuth(dst, b)
	case *MemberAttributesRequest:
		dst = binary.LittleEndian.AppendUint64(append(dst, byte(kindAttributes)), b.Member)
		return appendStrings(appendBytes(dst, b.Name), b.ClientURLs)
	}
	panic(fmt.Sprintf("state: unknown body %T", body))
}

func appendPut(dst []byte, p *mvcc.PutRequest) []byte {
	var flags byte
	if p.PrevKV {
		flags |= putPrevKV
	}
	if p.IgnoreValue {
		flags |= putIgnoreValue
	}
	if p.IgnoreLease {
		flags |= putIgnoreLease
	}
	dst = binary.AppendVarint(append(dst, flags), p.Lease)
	return appendBytes(appendBytes(dst, p.Key), p.Value)
}

func appendDelete(dst []byte, d *mvcc.DeleteRangeRequest) []byte {
	dst = appendBool(dst, d.PrevKV)
	return appendBytes(appendBytes(dst, d.Key), d.End)
}

func appendCheckpoints(dst []byte, list []LeaseCheckpoint) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(list)))
	for _, c := range list {
		dst = binary.AppendVarint(binary.AppendVarint(dst, c.ID), c.Remaining)
	}
	return dst
}

// DecodeBody reads what AppendBody wrote. Keys and values alias data. Whatever
// it accepts, CheckBody accepts; anything else is ErrMalformed,
// ErrUnknownFormat or ErrInvalidBody.
func DecodeBody(data []byte) (Body, error) {
	r := reader{b: data}
	body := r.body()
	if err := r.close(); err != nil {
		return nil, err
	}
	if err := CheckBody(body); err != nil {
		return nil, err
	}
	return body, nil
}

func (r *reader) body() Body {
	switch kind := bodyKind(r.byte()); kind {
	case kindPut:
		return r.put()
	case kindDelete:
		return r.delete()
	case kindTxn:
		return r.txn(1)
	case kindCompact:
		return &CompactRequest{Revision: r.varint()}
	case kindLeaseGrant:
		return &LeaseGrantRequest{ID: r.varint(), TTL: r.varint()}
	case kindLeaseRevoke:
		return &LeaseRevokeRequest{ID: r.varint(), Expired: r.bool()}
	case kindLeaseCheckpoint:
		return &LeaseCheckpointRequest{AsOf: r.uvarint(), Checkpoints: r.checkpoints()}
	case kindAlarm:
		return &AlarmRequest{
			Activate: r.bool(),
			Kind:     AlarmKind(r.enum("alarm kind", byte(AlarmCorrupt))),
			Member:   r.fixed64(),
		}
	case kindAttributes:
		return &MemberAttributesRequest{Member: r.fixed64(), Name: r.string(), ClientURLs: r.strings()}
	default:
		return r.auth(kind)
	}
}

func (r *reader) put() *mvcc.PutRequest {
	flags := r.flags(putFlags)
	return &mvcc.PutRequest{
		PrevKV:      flags&putPrevKV != 0,
		IgnoreValue: flags&putIgnoreValue != 0,
		IgnoreLease: flags&putIgnoreLease != 0,
		Lease:       r.varint(),
		Key:         r.bytes(),
		Value:       r.bytes(),
	}
}

func (r *reader) delete() *mvcc.DeleteRangeRequest {
	return &mvcc.DeleteRangeRequest{PrevKV: r.bool(), Key: r.bytes(), End: r.bytes()}
}

func (r *reader) checkpoints() []LeaseCheckpoint {
	n := r.count(2)
	if n == 0 {
		return nil
	}
	list := make([]LeaseCheckpoint, 0, n)
	for range n {
		list = append(list, LeaseCheckpoint{ID: r.varint(), Remaining: r.varint()})
	}
	return list
}

// IsLeaseRevoke tells whether an encoded body ends a lease.
func IsLeaseRevoke(encoded []byte) bool {
	return len(encoded) > 0 && bodyKind(encoded[0]) == kindLeaseRevoke
}

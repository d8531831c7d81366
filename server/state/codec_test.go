package state

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/holdfast-db/holdfast/mvcc"
	"github.com/holdfast-db/holdfast/server/auth"
)

// Generators of what the gate lets through.

var keyGen = rapid.SliceOfN(rapid.Byte(), 1, 6)

func bytesGen() *rapid.Generator[[]byte] {
	return rapid.Custom(func(t *rapid.T) []byte {
		b := rapid.SliceOfN(rapid.Byte(), 0, 8).Draw(t, "bytes")
		if len(b) == 0 {
			return nil
		}
		return b
	})
}

var (
	valueGen  = bytesGen()
	numberGen = rapid.OneOf(rapid.Int64Range(-2, 100), rapid.Int64())
	boolGen   = rapid.Bool()
)

func putGen(t *rapid.T) *mvcc.PutRequest {
	return &mvcc.PutRequest{Key: keyGen.Draw(t, "key"), Value: valueGen.Draw(t, "value"), Lease: numberGen.Draw(t, "lease"),
		PrevKV: boolGen.Draw(t, "prev"), IgnoreValue: boolGen.Draw(t, "iv"), IgnoreLease: boolGen.Draw(t, "il")}
}

func deleteGen(t *rapid.T) *mvcc.DeleteRangeRequest {
	return &mvcc.DeleteRangeRequest{Key: keyGen.Draw(t, "key"), End: valueGen.Draw(t, "end"), PrevKV: boolGen.Draw(t, "prev")}
}

func rangeGen(t *rapid.T) *mvcc.RangeRequest {
	q := &mvcc.RangeRequest{Key: keyGen.Draw(t, "key"), End: valueGen.Draw(t, "end"), Limit: numberGen.Draw(t, "limit"),
		Revision: numberGen.Draw(t, "rev"), Serializable: boolGen.Draw(t, "ser"), KeysOnly: boolGen.Draw(t, "ko"), CountOnly: boolGen.Draw(t, "co")}
	if boolGen.Draw(t, "sorted") {
		q.SortOrder = mvcc.SortOrder(rapid.IntRange(0, 2).Draw(t, "order"))
		q.SortTarget = mvcc.SortTarget(rapid.IntRange(0, 4).Draw(t, "target"))
	}
	if boolGen.Draw(t, "filtered") {
		q.MinModRevision, q.MaxModRevision = numberGen.Draw(t, "a"), numberGen.Draw(t, "b")
		q.MinCreateRevision, q.MaxCreateRevision = numberGen.Draw(t, "c"), numberGen.Draw(t, "d")
	}
	return q
}

func compareGen(t *rapid.T) mvcc.Compare {
	c := mvcc.Compare{Op: mvcc.CompareOp(rapid.IntRange(0, 4).Draw(t, "op")), Target: mvcc.CompareTarget(rapid.IntRange(0, 4).Draw(t, "target")),
		Key: keyGen.Draw(t, "key"), End: valueGen.Draw(t, "end")}
	if c.Target == mvcc.CompareValue {
		c.Value = valueGen.Draw(t, "value")
	} else {
		c.Number = numberGen.Draw(t, "number")
	}
	return c
}

func txnGen(t *rapid.T, depth int) *mvcc.TxnRequest {
	x := &mvcc.TxnRequest{}
	for range rapid.IntRange(0, 2).Draw(t, "compares") {
		x.Compare = append(x.Compare, compareGen(t))
	}
	for range rapid.IntRange(0, 3).Draw(t, "success") {
		x.Success = append(x.Success, opGen(t, depth))
	}
	for range rapid.IntRange(0, 2).Draw(t, "failure") {
		x.Failure = append(x.Failure, opGen(t, depth))
	}
	return x
}

func opGen(t *rapid.T, depth int) (op mvcc.Op) {
	switch rapid.IntRange(0, 4).Draw(t, "kind") {
	case 1:
		op.Range = rangeGen(t)
	case 2:
		op.Put = putGen(t)
	case 3:
		op.Delete = deleteGen(t)
	case 4:
		if depth < 3 {
			op.Txn = txnGen(t, depth+1)
		}
	}
	return op
}

func callerGen(t *rapid.T) auth.Caller {
	if boolGen.Draw(t, "nobody") {
		return auth.Caller{}
	}
	return auth.Caller{Name: nameGen.Draw(t, "caller"), Revision: rapid.Uint64Min(1).Draw(t, "auth")}
}

var nameGen = rapid.StringN(1, 4, 16)

func permissionGen(t *rapid.T) auth.Permission {
	p := auth.Permission{Access: auth.Access(rapid.IntRange(0, 2).Draw(t, "access")), Key: keyGen.Draw(t, "key")}
	switch rapid.IntRange(0, 2).Draw(t, "range") {
	case 1:
		p.End = []byte{0}
	case 2:
		p.End = append(bytes.Clone(p.Key), 'x')
	}
	return p
}

func authGen(t *rapid.T) Body {
	name, role := nameGen.Draw(t, "name"), nameGen.Draw(t, "role")
	switch rapid.IntRange(0, 11).Draw(t, "change") {
	case 0:
		return &LoginRequest{User: name, Since: rapid.Uint64().Draw(t, "since"), Prefix: "prefix"}
	case 1:
		return &auth.Enable{}
	case 2:
		return &auth.Disable{}
	case 3:
		return &auth.UserAdd{Name: name, NoPassword: boolGen.Draw(t, "no password"), Hash: valueGen.Draw(t, "hash")}
	case 4:
		return &auth.UserDelete{Name: name}
	case 5:
		return &auth.UserPassword{Name: name, Hash: valueGen.Draw(t, "hash")}
	case 6:
		return &auth.UserGrant{User: name, Role: role}
	case 7:
		return &auth.UserRevoke{User: name, Role: role}
	case 8:
		return &auth.RoleAdd{Name: role}
	case 9:
		return &auth.RoleDelete{Name: role}
	case 10:
		return &auth.RoleGrant{Role: role, Permission: permissionGen(t)}
	default:
		return &auth.RoleRevoke{Role: role, Key: keyGen.Draw(t, "key"), End: valueGen.Draw(t, "end")}
	}
}

func bodyGen(t *rapid.T) Body {
	switch rapid.IntRange(0, 9).Draw(t, "body") {
	case 9:
		return authGen(t)
	case 0:
		return putGen(t)
	case 1:
		return deleteGen(t)
	case 2:
		return txnGen(t, 1)
	case 3:
		return &CompactRequest{Revision: numberGen.Draw(t, "rev")}
	case 4:
		return &LeaseGrantRequest{ID: rapid.Int64Min(1).Draw(t, "id"), TTL: numberGen.Draw(t, "ttl")}
	case 5:
		return &LeaseRevokeRequest{ID: numberGen.Draw(t, "id"), Expired: boolGen.Draw(t, "expired")}
	case 6:
		q := &LeaseCheckpointRequest{AsOf: rapid.Uint64().Draw(t, "as of")}
		for range rapid.IntRange(0, 3).Draw(t, "n") {
			q.Checkpoints = append(q.Checkpoints, LeaseCheckpoint{ID: numberGen.Draw(t, "id"), Remaining: numberGen.Draw(t, "rem")})
		}
		return q
	case 7:
		return &AlarmRequest{Activate: boolGen.Draw(t, "on"), Member: rapid.Uint64().Draw(t, "member"), Kind: AlarmKind(rapid.IntRange(0, 2).Draw(t, "kind"))}
	default:
		q := &MemberAttributesRequest{Member: rapid.Uint64().Draw(t, "member"), Name: rapid.StringN(0, 4, 8).Draw(t, "name")}
		for range rapid.IntRange(0, 2).Draw(t, "urls") {
			q.ClientURLs = append(q.ClientURLs, rapid.StringN(0, 4, 8).Draw(t, "url"))
		}
		return q
	}
}

// decode(encode(x)) == x for every body.
func TestBodyRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := bodyGen(t)
		data, err := EncodeBody(want)
		if err != nil {
			t.Fatal(err)
		}
		got, err := DecodeBody(data)
		if err != nil {
			t.Fatalf("%x: %v", data, err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("(-want +got)\n%s", diff)
		}
	})
}

// No proper prefix of an encoding is one, and nothing may follow it.
func TestBodyCutOrExtended(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		data := AppendBody(nil, bodyGen(t))
		for n := range data {
			if body, err := DecodeBody(data[:n]); err == nil {
				t.Fatalf("%x, cut to %d bytes, is %+v", data, n, body)
			}
		}
		if _, err := DecodeBody(append(data, 0)); err == nil {
			t.Fatalf("%x with a byte more decodes", data)
		}
	})
}

func TestBatchRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var want []Encoded
		for range rapid.IntRange(0, 5).Draw(t, "commands") {
			e := Encoded{Term: rapid.Uint64().Draw(t, "term"), Caller: callerGen(t),
				Body: AppendBody(nil, bodyGen(t))}
			if boolGen.Draw(t, "asked") {
				e.ID = RequestID{Member: rapid.Uint64Range(1, 2).Draw(t, "m"), Incarnation: rapid.Uint64Range(1, 2).Draw(t, "i"),
					Boot: rapid.Uint64Max(2).Draw(t, "b"), Seq: rapid.Uint64Min(1).Draw(t, "s")}
			}
			want = append(want, e)
		}
		data := AppendBatch(nil, want)
		limit := 11
		for _, e := range want {
			limit += CommandOverheadMax + len(e.Body)
		}
		if len(data) > limit {
			t.Fatalf("%d bytes, CommandOverheadMax promises at most %d", len(data), limit)
		}
		got, err := readBatch(data)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("(-want +got)\n%s", diff)
		}
	})
}

func readBatch(data []byte) (list []Encoded, err error) {
	b := OpenBatch(data)
	for b.Next() {
		list = append(list, b.Command)
	}
	return list, b.Err()
}

// The bytes of format version 1. They may never change: logs hold them.
func TestGoldenBodies(t *testing.T) {
	deep := &mvcc.TxnRequest{
		Compare: []mvcc.Compare{
			{Op: mvcc.CompareGreater, Target: mvcc.CompareMod, Key: []byte("a"), Number: 7},
			{Op: mvcc.CompareNotEqual, Target: mvcc.CompareValue, Key: []byte("b"), End: []byte("c"), Value: []byte("v")},
		},
		Success: []mvcc.Op{
			{Put: &mvcc.PutRequest{Key: []byte("k"), Value: []byte("v")}},
			{Txn: &mvcc.TxnRequest{Failure: []mvcc.Op{{Delete: &mvcc.DeleteRangeRequest{Key: []byte("d"), PrevKV: true}}}}},
			{},
		},
		Failure: []mvcc.Op{{Range: &mvcc.RangeRequest{Key: []byte("r"), End: []byte("s"), Limit: 10, Revision: 3, KeysOnly: true,
			SortOrder: mvcc.SortDescend, SortTarget: mvcc.SortByMod, MinModRevision: 1, MaxModRevision: 2, MinCreateRevision: 3, MaxCreateRevision: 4}}},
	}
	cases := []struct {
		body Body
		want string
	}{
		{&mvcc.PutRequest{Key: []byte("key"), Value: []byte("value")}, "01 00 00 03 6b6579 05 76616c7565"},
		{&mvcc.PutRequest{Key: []byte("k"), Lease: 100, PrevKV: true, IgnoreValue: true, IgnoreLease: true}, "01 07 c801 01 6b 00"},
		{&mvcc.DeleteRangeRequest{Key: []byte("a"), End: []byte{0}}, "02 00 01 61 01 00"},
		{deep, "03 02 01 02 01 61 00 0e 03 03 01 62 01 63 01 76" +
			" 03 02 00 00 01 6b 01 76 04 00 00 01 03 01 01 64 00 00" +
			" 01 01 1a 01 72 01 73 14 06 02 03 02 04 06 08"},
		{&CompactRequest{Revision: -1}, "04 01"},
		{&LeaseGrantRequest{ID: 1, TTL: 60}, "05 02 78"},
		{&LeaseRevokeRequest{ID: 1, Expired: true}, "06 02 01"},
		{&LeaseCheckpointRequest{AsOf: 9, Checkpoints: []LeaseCheckpoint{{ID: 1, Remaining: 2}}}, "07 09 01 02 04"},
		{&AlarmRequest{Activate: true, Member: 0x1122, Kind: AlarmNoSpace}, "08 01 01 2211000000000000"},
		{&MemberAttributesRequest{Member: 1, Name: "n", ClientURLs: []string{"u"}}, "09 0100000000000000 01 6e 01 01 75"},
	}
	for _, c := range cases {
		want := strings.ReplaceAll(c.want, " ", "")
		if got := hex.EncodeToString(AppendBody(nil, c.body)); got != want {
			t.Errorf("%T is\n%s, want\n%s", c.body, got, want)
		}
		data, _ := hex.DecodeString(want)
		got, err := DecodeBody(data)
		if diff := cmp.Diff(c.body, got); err != nil || diff != "" {
			t.Errorf("%s: %v\n%s", want, err, diff)
		}
	}
}

func TestGoldenBatch(t *testing.T) {
	id := RequestID{Member: 0x0a, Incarnation: 0x0b, Boot: 3, Seq: 300}
	next := id
	next.Seq = 301
	batch := []Encoded{{ID: id, Term: 2, Body: []byte{4, 2}}, {ID: next, Term: 2, Caller: auth.Caller{Name: "bob", Revision: 5}, Body: []byte{4, 4}}, {Term: 2, Body: []byte{4, 6}}}
	want := "02 03" +
		" 02 0a00000000000000 0b00000000000000 03 ac02 02 00 02 0402" +
		" 01 ad02 02 05 03 626f62 02 0404" +
		" 00 02 00 02 0406"
	if got := hex.EncodeToString(AppendBatch(nil, batch)); got != strings.ReplaceAll(want, " ", "") {
		t.Errorf("batch is %s, want %s", got, want)
	}
	if got := hex.EncodeToString(AppendRequestID(nil, id)); got != "0a000000000000000b0000000000000003ac02" {
		t.Errorf("request id is %s", got)
	}
}

// Each rule of the decoders, by the bytes that break it.
func TestDecodeRefuses(t *testing.T) {
	nested := "03"
	for range TxnDepthMax {
		nested += "00 01 04"
	}
	nested += "00 00 00" + strings.Repeat("00", TxnDepthMax)
	cases := []struct {
		name, hex string
		want      error
	}{
		{"nothing", "", ErrMalformed},
		{"unknown kind", "7f", ErrUnknownFormat},
		{"kind 0", "00", ErrUnknownFormat},
		{"unknown put flag", "01 08 00 01 6b 00", ErrUnknownFormat},
		{"empty key", "01 00 00 00 00", ErrInvalidBody},
		{"key past the end", "01 00 00 05 6b 00", ErrMalformed},
		{"key of 2^63 bytes", "01 00 00 ffffffffffffffffff01 6b", ErrMalformed},
		{"long varint", "04 8200", ErrMalformed},
		{"varint of eleven bytes", "04 ffffffffffffffffffff01", ErrMalformed},
		{"boolean 2", "06 02 02", ErrMalformed},
		{"lease 0", "05 00 02", ErrInvalidBody},
		{"alarm kind 3", "08 01 03 0000000000000000", ErrUnknownFormat},
		{"compare op 5", "03 01 05 00 01 61 00 00 00 00", ErrUnknownFormat},
		{"compare target 5", "03 01 00 05 01 61 00 00 00 00", ErrUnknownFormat},
		{"operation 5", "03 00 01 05 00", ErrUnknownFormat},
		{"login without a token", "20 01 61 01 00", ErrInvalidBody},
		{"user without a name", "23 00 00 00", ErrInvalidBody},
		{"access 3", "2a 01 61 03 01 6b 00", ErrUnknownFormat},
		{"permission on an empty range", "2a 01 61 00 01 6b 01 61", ErrInvalidBody},
		{"a million compares", "03 c0843d 00 00 01 61 00 00", ErrMalformed},
		{"a million operations", "03 00 c0843d 00", ErrMalformed},
		{"a million checkpoints", "07 c0843d 02 02", ErrMalformed},
		{"nested too deep", nested, ErrMalformed},
		{"sorted range that isn't", "03 00 01 01 08 01 61 00 00 00 00 00 00", ErrMalformed},
		{"left over", "04 02 00", ErrMalformed},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			data, err := hex.DecodeString(strings.ReplaceAll(c.hex, " ", ""))
			if err != nil {
				t.Fatal(err)
			}
			if body, err := DecodeBody(data); !errors.Is(err, c.want) {
				t.Errorf("%x is %+v, %v; want %v", data, body, err, c.want)
			}
		})
	}
}

func TestBatchRefuses(t *testing.T) {
	cases := []struct {
		name, hex string
		want      error
	}{
		{"nothing", "", ErrMalformed},
		{"another version", "01 00", ErrUnknownFormat},
		{"a million commands", "02 c0843d 00000000", ErrMalformed},
		{"one too few", "02 02 00 00 00 02 0402", ErrMalformed},
		{"one too many", "02 01 00 00 00 02 0402 00 00 00 02 0402", ErrMalformed},
		{"same origin as nobody", "02 01 01 01 00 00 02 0402", ErrMalformed},
		{"unknown origin", "02 01 03 01 00 00 02 0402", ErrMalformed},
		{"caller without a name", "02 01 00 02 05 00 02 0402", ErrMalformed},
		{"caller's name past the end", "02 01 00 02 05 7f 02 0402", ErrMalformed},
		{"sequence 0", "02 01 02 0a00000000000000 0b00000000000000 03 00 00 00 02 0402", ErrMalformed},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			data, err := hex.DecodeString(strings.ReplaceAll(c.hex, " ", ""))
			if err != nil {
				t.Fatal(err)
			}
			list, err := readBatch(data)
			if !errors.Is(err, c.want) {
				t.Errorf("%x is %+v, %v; want %v", data, list, err, c.want)
			}
		})
	}
}

// CheckBody refuses before the log what no replica could decode or apply.
func TestCheckBody(t *testing.T) {
	deep := &mvcc.TxnRequest{}
	for range TxnDepthMax {
		deep = &mvcc.TxnRequest{Failure: []mvcc.Op{{Txn: deep}}}
	}
	inTxn := func(op mvcc.Op) Body { return &mvcc.TxnRequest{Failure: []mvcc.Op{op}} }
	put := &mvcc.PutRequest{Key: []byte("k")}
	bad := []Body{
		nil, "put", mvcc.PutRequest{Key: []byte("k")},
		&mvcc.PutRequest{}, &mvcc.DeleteRangeRequest{}, &LeaseGrantRequest{}, &AlarmRequest{Kind: 3}, deep,
		&mvcc.TxnRequest{Compare: []mvcc.Compare{{}}},
		&mvcc.TxnRequest{Compare: []mvcc.Compare{{Key: []byte("k"), Op: 5}}},
		&mvcc.TxnRequest{Compare: []mvcc.Compare{{Key: []byte("k"), Target: 5}}},
		inTxn(mvcc.Op{Put: &mvcc.PutRequest{}}), inTxn(mvcc.Op{Delete: &mvcc.DeleteRangeRequest{}}), inTxn(mvcc.Op{Range: &mvcc.RangeRequest{}}),
		inTxn(mvcc.Op{Range: &mvcc.RangeRequest{Key: []byte("k"), SortOrder: 3}}),
		inTxn(mvcc.Op{Range: &mvcc.RangeRequest{Key: []byte("k"), SortTarget: 5}}),
		inTxn(mvcc.Op{Put: put, Txn: &mvcc.TxnRequest{}}),
	}
	for i, body := range bad {
		if _, err := EncodeBody(body); !errors.Is(err, ErrInvalidBody) {
			t.Errorf("case %d, %T: %v", i, body, err)
		}
	}
	if _, err := EncodeBody(deep.Failure[0].Txn); err != nil {
		t.Errorf("depth %d: %v", TxnDepthMax, err)
	}
}

func FuzzDecodeBody(f *testing.F) {
	for _, seed := range []string{"0100000161017a", "020101610100", "0301020201610002000104000000", "0402", "050278", "060201", "07010204",
		"0801012211000000000000", "0901000000000000000161010175"} {
		data, _ := hex.DecodeString(seed)
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		body, err := DecodeBody(data)
		if err != nil {
			return
		}
		if again := AppendBody(nil, body); !bytes.Equal(again, data) {
			t.Fatalf("%x decodes to %+v, which encodes to %x", data, body, again)
		}
	})
}

// Whatever the bytes of an entry, Apply returns, and does so alike on replicas.
func FuzzApply(f *testing.F) {
	put := AppendBody(nil, &mvcc.PutRequest{Key: []byte("k"), Value: []byte("v")})
	grant := AppendBody(nil, &LeaseGrantRequest{ID: 5, TTL: 10})
	leased := AppendBody(nil, &mvcc.PutRequest{Key: []byte("l"), Lease: 5})
	revoke := AppendBody(nil, &LeaseRevokeRequest{ID: 5})
	id := RequestID{Member: 1, Incarnation: 2, Boot: 3, Seq: 4}
	f.Add(AppendBatch(nil, []Encoded{{ID: id, Body: put}}))
	f.Add(AppendBatch(nil, []Encoded{{Body: grant}, {Body: leased}, {Body: revoke}}))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, data []byte) {
		var outcomes [2]string
		for i := range outcomes {
			s := New(Options{Members: []ConfigMember{{ID: 1}}})
			err := s.Apply(1, 1, data, func(id RequestID, r *Result) {
				outcomes[i] += fmt.Sprintln(id, r.Err, r.Revision)
			})
			outcomes[i] += fmt.Sprint(err, s.Hash())
		}
		if outcomes[0] != outcomes[1] {
			t.Fatalf("two replicas:\n%s\n%s", outcomes[0], outcomes[1])
		}
		if list, err := readBatch(data); err == nil && !bytes.Equal(AppendBatch(nil, list), data) {
			t.Fatalf("batch %x isn't canonical", data)
		}
	})
}

func FuzzRequestID(f *testing.F) {
	f.Add(AppendRequestID(nil, RequestID{Member: 1, Incarnation: 2, Boot: 3, Seq: 4}))
	f.Fuzz(func(t *testing.T, data []byte) {
		id, err := DecodeRequestID(data)
		if err != nil || len(data) == 0 {
			return
		}
		if again := AppendRequestID(nil, id); !bytes.Equal(again, data) {
			t.Fatalf("%x decodes to %+v, which encodes to %x", data, id, again)
		}
	})
}

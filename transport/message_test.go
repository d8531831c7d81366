package transport

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"math"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/holdfast-db/holdfast/raft"
)

func entry(index raft.Index, term raft.Term, typ raft.EntryType, data string) raft.Entry {
	e := raft.Entry{Index: index, Term: term, Type: typ}
	if data != "" {
		e.Data = []byte(data)
	}
	e.CRC = raft.EntryCRC(e)
	return e
}

// example is the message that doc.go draws.
func example() raft.Message {
	return raft.Message{
		Type: raft.AppendEntries, From: 0xa, To: 0xb, Incarnation: 1, Term: 7,
		Prev: raft.EntryID{Term: 7, Index: 41}, Commit: 40,
		Entries: []raft.Entry{entry(42, 7, raft.EntryCommand, "hi")},
	}
}

// full has every field set.
func full() raft.Message {
	return raft.Message{
		Type: raft.InstallSnapshot, From: 1, To: 2, Incarnation: 3, Term: 4,
		LogEnd: raft.EntryID{Term: 5, Index: 6}, Transfer: true,
		Prev: raft.EntryID{Term: 7, Index: 8}, Commit: 9, Reject: true, Match: 10,
		RejectedPrev: raft.EntryID{Term: 11, Index: 12}, Hint: raft.EntryID{Term: 13, Index: 14},
		Round: 15, Read: raft.ReadID{Node: 16, Incarnation: 17, Boot: 18, Seq: 19},
		Life:  raft.Life{Boot: 22, Nonce: 23, Term: 24, Last: 25},
		Fence: &raft.Fence{Nonce: 26, Mark: raft.PeerMark{ID: 27, Incarnation: 28, Boot: 29, Nonce: 30, Term: 31, Match: 32}},
		Snapshot: &raft.SnapshotMeta{
			Last: raft.EntryID{Term: 20, Index: 21},
			Config: raft.ConfigAt{At: raft.EntryID{Term: 20, Index: 20}, Config: raft.Configuration{
				Members: []raft.Member{{ID: 1, Incarnation: 3, Voter: true, Address: "http://a:2380"}},
				Context: []byte("why"),
			}},
		},
		Entries: []raft.Entry{
			entry(9, 7, raft.EntryNoop, ""),
			entry(10, 7, raft.EntryCommand, "data"),
			entry(11, 8, raft.EntryConfig, strings.Repeat("c", 1000)),
		},
	}
}

// TestMessageGolden fixes the bytes on the wire, and doc.go's example.
func TestMessageGolden(t *testing.T) {
	m := example()
	u64 := func(v uint64) string { return hex.EncodeToString(binary.LittleEndian.AppendUint64(nil, v)) }
	crc := hex.EncodeToString(binary.LittleEndian.AppendUint32(nil, m.Entries[0].CRC))
	want := "05001808" + u64(0xa) + u64(0xb) + u64(1) + u64(7) + // envelope
		u64(7) + u64(41) + u64(40) + // prev, commit
		"01000000" + u64(7) + "01" + "02000000" + crc + "6869"
	got := AppendMessage(nil, &m)
	if hex.EncodeToString(got) != want {
		t.Fatalf("message\n got %x\nwant %s", got, want)
	}
	frame := AppendMessageFrame(nil, &m)
	if !bytes.Equal(frame, AppendFrame(nil, KindRaft, got)) || !bytes.HasPrefix(frame, []byte{0x53, 0, 0, 0, 1, 0, 0, 0}) {
		t.Fatalf("frame %x", frame)
	}
}

func TestMessageRoundTrip(t *testing.T) {
	messages := []raft.Message{example(), full()}
	for typ := raft.RequestPreVote; typ <= raft.Announce; typ++ {
		if typ != raft.InstallSnapshot {
			messages = append(messages, raft.Message{Type: typ, From: math.MaxUint64, Term: 1})
		}
	}
	for _, m := range messages {
		got, err := DecodeMessage(AppendMessage(nil, &m))
		if err != nil {
			t.Fatalf("type %d: %v", m.Type, err)
		}
		if diff := cmp.Diff(m, got); diff != "" {
			t.Fatalf("type %d: %s", m.Type, diff)
		}
	}
}

func TestMessageRoundTripRandom(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := drawMessage(t)
		b := AppendMessage(nil, &m)
		got, err := DecodeMessage(b)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(m, got); diff != "" {
			t.Fatal(diff)
		}
		if hint := MessageBytesHint(&m); hint < len(b)+FrameHeaderBytes {
			t.Fatalf("hint %d for %d bytes", hint, len(b))
		}
	})
}

func drawMessage(t *rapid.T) raft.Message {
	u := rapid.OneOf(rapid.Just(uint64(0)), rapid.Uint64Range(0, 300), rapid.Uint64Range(0, math.MaxUint64/2))
	n := func(label string) uint64 { return u.Draw(t, label) }
	id := func(label string) raft.EntryID {
		return raft.EntryID{Term: raft.Term(n(label + " term")), Index: raft.Index(n(label + " index"))}
	}
	m := raft.Message{
		Type: raft.MessageType(rapid.IntRange(1, int(raft.Disown)).Draw(t, "type")),
		From: raft.NodeID(n("from")), To: raft.NodeID(n("to")),
		Incarnation: raft.Incarnation(n("incarnation")), Term: raft.Term(n("term")),
		LogEnd: id("end"), Transfer: rapid.Bool().Draw(t, "transfer"), Prev: id("prev"),
		Commit: raft.Index(n("commit")), Reject: rapid.Bool().Draw(t, "reject"),
		Match: raft.Index(n("match")), RejectedPrev: id("rejected"), Hint: id("hint"), Round: n("round"),
		Read: raft.ReadID{Node: raft.NodeID(n("node")), Boot: n("boot"), Seq: n("seq")},
	}
	if rapid.Bool().Draw(t, "life") {
		m.Life = raft.Life{Boot: n("life boot"), Nonce: n("life nonce"), Term: raft.Term(n("life term")), Last: raft.Index(n("life last"))}
	}
	if m.Type == raft.Disown {
		m.Fence = &raft.Fence{Nonce: n("fenced"), Mark: raft.PeerMark{ID: raft.NodeID(n("mark id")), Boot: n("mark boot"), Match: raft.Index(n("mark match"))}}
	}
	if m.Type == raft.InstallSnapshot {
		m.Snapshot = &raft.SnapshotMeta{Last: raft.EntryID{Term: 21, Index: 29}, Config: full().Snapshot.Config}
	}
	for i := range rapid.IntRange(0, 5).Draw(t, "entries") {
		data := rapid.StringN(0, 40, -1).Draw(t, "data")
		m.Entries = append(m.Entries, entry(m.Prev.Index+1+raft.Index(i), raft.Term(n("entry term")), raft.EntryCommand, data))
	}
	return m
}

// TestMessageDamage: whatever is wrong gives an error, and the right one.
func TestMessageDamage(t *testing.T) {
	encode := func(m raft.Message) []byte { return AppendMessage(nil, &m) }
	damage := func(b []byte, at int, v byte) []byte { b[at] = v; return b }
	entriesAt := envelopeBytes + 24
	for _, c := range []struct {
		name, want string
		bytes      []byte
	}{
		{"empty", "type", nil},
		{"type 0", "unknown type 0", damage(encode(example()), 0, 0)},
		{"type unheard of", "unknown type 200", damage(encode(example()), 0, 200)},
		{"reserved", "reserved", damage(encode(example()), 1, 1)},
		{"unknown field", "unknown fields", damage(encode(example()), 3, 0x48)},
		{"announced and zero", "announced", damage(encode(example()), envelopeBytes+16, 0)},
		{"one byte too many", "behind", append(encode(example()), 0)},
		{"no entries", "0 entries", damage(encode(example()), entriesAt, 0)},
		{"two entries announced", "entries announced", damage(encode(example()), entriesAt, 2)},
		{"a million entries", "entries announced", damage(encode(example()), entriesAt+2, 16)},
		{"entry of another index", "CRC", damage(encode(example()), envelopeBytes+8, 40)},
		{"entry of another term", "CRC", damage(encode(example()), entriesAt+4, 6)},
		{"entry of another type", "CRC", damage(encode(example()), entriesAt+12, 0)},
		{"entry of no type", "unknown type 9", damage(encode(example()), entriesAt+12, 9)},
		{"entry too long", "of 255 bytes", damage(encode(example()), entriesAt+13, 255)},
		{"entry data", "CRC", damage(encode(example()), entriesAt+4+entryHeaderBytes, 'H')},
		{"snapshot missing", "without a snapshot", damage(encode(example()), 0, byte(raft.InstallSnapshot))},
		{"snapshot too long", "description of", func() []byte {
			m := raft.Message{Type: raft.InstallSnapshot, Snapshot: full().Snapshot}
			return damage(encode(m), envelopeBytes+2, 2)
		}()},
		{"index overflow", "entries after", func() []byte {
			b := encode(example())
			binary.LittleEndian.PutUint64(b[envelopeBytes+8:], math.MaxUint64)
			return b
		}()},
	} {
		_, err := DecodeMessage(c.bytes)
		if !errors.Is(err, ErrMalformed) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v (want %q)", c.name, err, c.want)
		}
	}
}

func TestMessageTruncatedAnywhere(t *testing.T) {
	m := full()
	b := AppendMessage(nil, &m)
	for n := range b {
		if _, err := DecodeMessage(b[:n]); !errors.Is(err, ErrMalformed) {
			t.Fatalf("%d of %d bytes: %v", n, len(b), err)
		}
	}
}

// TestEntriesAlias: decoding copies no data (doc.go).
func TestEntriesAlias(t *testing.T) {
	m := example()
	b := AppendMessage(nil, &m)
	got, err := DecodeMessage(b)
	if err != nil {
		t.Fatal(err)
	}
	if &got.Entries[0].Data[0] != &b[len(b)-2] || cap(got.Entries[0].Data) != 2 {
		t.Fatal("entry data must alias the payload, and not reach past its end")
	}
}

func TestAppendMessageAsserts(t *testing.T) {
	gap := example()
	gap.Entries[0].Index = 43
	for name, m := range map[string]raft.Message{"type": {}, "gap": gap} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: no panic", name)
				}
			}()
			AppendMessage(nil, &m)
		}()
	}
}

func FuzzMessage(f *testing.F) {
	for _, m := range []raft.Message{example(), full(), {Type: raft.Heartbeat, From: 1, To: 2, Commit: 3, Round: 4}} {
		f.Add(AppendMessage(nil, &m))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := DecodeMessage(b)
		if err != nil {
			if !errors.Is(err, ErrMalformed) {
				t.Fatalf("error of another kind: %v", err)
			}
			return
		}
		if again := AppendMessage(nil, &m); !bytes.Equal(again, b) {
			t.Fatalf("two encodings of one message:\n%x\n%x", b, again)
		}
	})
}

// TestEveryFieldTravels: a field that raft adds to its messages is zero in
// full(), which reminds its author of the codec.
func TestEveryFieldTravels(t *testing.T) {
	m := full()
	for _, v := range []any{m, m.Entries[1], *m.Snapshot, m.Read, m.LogEnd, m.Life, *m.Fence, m.Fence.Mark} {
		s := reflect.ValueOf(v)
		for i := range s.NumField() {
			if s.Field(i).IsZero() {
				t.Errorf("%v.%s is not in the codec's tests", s.Type(), s.Type().Field(i).Name)
			}
		}
	}
	if known, next := raft.Disown.String(), (raft.Disown + 1).String(); known == "" || !strings.Contains(next, "15") {
		t.Errorf("a message type %q after %q: teach knownType", next, known)
	}
}

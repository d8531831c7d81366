package raft

import (
	"bytes"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func exampleConfiguration() Configuration {
	return Configuration{
		Members: []Member{
			{ID: 1, Incarnation: 0x1122334455667788, Voter: true, OldVoter: true, Address: "http://10.0.0.1:2380"},
			{ID: 300, OldVoter: true, Leaving: true, Address: "http://10.0.0.2:2380"},
			{ID: 1 << 63, Incarnation: 7},
		},
		Context: []byte("why"),
	}
}

func exampleSnapshotMeta() SnapshotMeta {
	return SnapshotMeta{
		Last:   EntryID{Term: 5, Index: 1000},
		Config: ConfigAt{At: EntryID{Term: 4, Index: 900}, Config: exampleConfiguration()},
	}
}

// TestGoldenBytes: the encodings are on disks and must never change. The golden
// files are decoded too, so both directions are held to them.
func TestGoldenBytes(t *testing.T) {
	entry := Entry{Index: 7, Term: 3, Type: EntryCommand, Data: []byte("put k v")}
	golden(t, "configuration", AppendConfiguration(nil, exampleConfiguration()), func(b []byte) any {
		c, err := DecodeConfiguration(b)
		return pair{c, err}
	}, pair{exampleConfiguration(), nil})
	golden(t, "snapshot_meta", AppendSnapshotMeta(nil, exampleSnapshotMeta()), func(b []byte) any {
		m, err := DecodeSnapshotMeta(b)
		return pair{m, err}
	}, pair{exampleSnapshotMeta(), nil})
	// Computed independently: CRC-32C of 01 0700000000000000 0300000000000000 "put k v".
	if got, want := EntryCRC(entry), uint32(goldenEntryCRC); got != want {
		t.Errorf("EntryCRC = %#x, want %#x", got, want)
	}
}

const goldenEntryCRC = 0x5f2911e0

type pair struct {
	value any
	err   error
}

func golden(t *testing.T, name string, got []byte, decode func([]byte) any, want any) {
	t.Helper()
	path := filepath.Join("testdata", "golden", name+".hex")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	b, err := hex.DecodeString(strings.Join(strings.Fields(string(text)), ""))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, b) {
		t.Errorf("%s encodes to\n%x, want\n%x", name, got, b)
	}
	if v := decode(b); !reflect.DeepEqual(v, want) {
		t.Errorf("%s decodes to\n%+v, want\n%+v", name, v, want)
	}
}

// TestEntryCRC: every part of an entry is covered.
func TestEntryCRC(t *testing.T) {
	e := Entry{Index: 7, Term: 3, Type: EntryCommand, Data: []byte("data")}
	crc := EntryCRC(e)
	for name, f := range map[string]func(*Entry){
		"index": func(e *Entry) { e.Index++ }, "term": func(e *Entry) { e.Term++ },
		"type": func(e *Entry) { e.Type = EntryNoop }, "data": func(e *Entry) { e.Data = []byte("dat4") },
		"length": func(e *Entry) { e.Data = append([]byte("data"), 0) },
		"swap":   func(e *Entry) { e.Index, e.Term = Index(e.Term), Term(e.Index) },
	} {
		other := e
		f(&other)
		if EntryCRC(other) == crc {
			t.Errorf("a change of %s is not found", name)
		}
	}
}

func drawConfiguration(t *rapid.T) Configuration {
	var c Configuration
	id := NodeID(0)
	for range rapid.IntRange(0, 5).Draw(t, "members") {
		id += NodeID(rapid.Uint64Range(1, 1<<40).Draw(t, "id"))
		m := Member{
			ID: id, Incarnation: Incarnation(rapid.Uint64().Draw(t, "incarnation")),
			Voter: rapid.Bool().Draw(t, "voter"), OldVoter: rapid.Bool().Draw(t, "old"),
			Address: rapid.StringN(0, 20, 40).Draw(t, "address"),
		}
		m.Leaving = m.OldVoter && !m.Voter && rapid.Bool().Draw(t, "leaving")
		m.Joining = m.Learner() && rapid.Bool().Draw(t, "joining")
		c.Members = append(c.Members, m)
	}
	if len(c.Members) > 0 {
		c.Members[0].Voter, c.Members[0].Leaving, c.Members[0].Joining = true, false, false
	}
	if ctx := rapid.SliceOfN(rapid.Byte(), 0, 9).Draw(t, "context"); len(ctx) > 0 {
		c.Context = ctx
	}
	return c
}

// TestCodecRoundTrip: what is encoded decodes to itself, and not a byte less.
func TestCodecRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		last := EntryID{Term: Term(rapid.Uint64Range(1, 1<<50).Draw(t, "term")), Index: Index(rapid.Uint64Range(1, 1<<50).Draw(t, "index"))}
		at := EntryID{Term: Term(rapid.Uint64Range(0, uint64(last.Term)).Draw(t, "at term")), Index: Index(rapid.Uint64Range(0, uint64(last.Index)).Draw(t, "at"))}
		m := SnapshotMeta{Last: last, Config: ConfigAt{At: at, Config: drawConfiguration(t)}}
		b := AppendSnapshotMeta(nil, m)
		got, err := DecodeSnapshotMeta(b)
		if err != nil || !reflect.DeepEqual(got, m) {
			t.Fatalf("%+v became %+v, %v", m, got, err)
		}
		for cut := range b {
			if _, err := DecodeSnapshotMeta(b[:cut]); !errors.Is(err, ErrMalformed) {
				t.Fatalf("cut to %d of %d bytes: %v", cut, len(b), err)
			}
		}
		if _, err := DecodeSnapshotMeta(append(b, 0)); !errors.Is(err, ErrMalformed) {
			t.Fatalf("a byte too much: %v", err)
		}
	})
}

// TestDecodeRefuses: each way to be wrong is found, and before it costs memory.
func TestDecodeRefuses(t *testing.T) {
	for name, text := range map[string]string{
		"empty":             "",
		"version":           "02 00 00",
		"members":           "01 ff ff ff ff 0f 00",
		"more than bytes":   "01 7f 00",
		"unknown flag":      "01 01 01 0000000000000000 08 00 00",
		"not sorted":        "01 02 02 0000000000000000 01 00 01 0000000000000000 01 00 00",
		"twice":             "01 02 01 0000000000000000 01 00 01 0000000000000000 01 00 00",
		"member 0":          "01 01 00 0000000000000000 01 00 00",
		"no voter":          "01 01 01 0000000000000000 00 00 00",
		"leaving, no joint": "01 02 01 0000000000000000 01 00 02 0000000000000000 04 00 00",
		"leaving voter":     "01 01 01 0000000000000000 07 00 00",
		"long varint":       "01 80 00 00",
		"address length":    "01 01 01 0000000000000000 01 ffffff7f 00",
		"context length":    "01 00 ffffff7f",
		"left over":         "01 00 00 00",
	} {
		b, err := hex.DecodeString(strings.ReplaceAll(text, " ", ""))
		if err != nil {
			t.Fatal(err)
		}
		if c, err := DecodeConfiguration(b); !errors.Is(err, ErrMalformed) || len(c.Members) > 0 {
			t.Errorf("%s: %v, %v", name, c, err)
		}
	}
	for name, m := range map[string]SnapshotMeta{
		"configuration later": {Last: EntryID{1, 5}, Config: ConfigAt{At: EntryID{1, 6}}},
		"configuration term":  {Last: EntryID{1, 5}, Config: ConfigAt{At: EntryID{2, 5}}},
		"term without index":  {Last: EntryID{1, 0}},
		"index without term":  {Last: EntryID{0, 1}},
		"index out of range":  {Last: EntryID{1, indexMax + 1}},
	} {
		if _, err := DecodeSnapshotMeta(AppendSnapshotMeta(nil, m)); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzDecodeConfiguration(f *testing.F) {
	f.Add(AppendConfiguration(nil, exampleConfiguration()))
	f.Add(AppendConfiguration(nil, Configuration{}))
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := DecodeConfiguration(b)
		if err == nil && !bytes.Equal(AppendConfiguration(nil, c), b) {
			t.Fatalf("%x decodes, but encodes to %x", b, AppendConfiguration(nil, c))
		}
	})
}

func FuzzDecodeSnapshotMeta(f *testing.F) {
	f.Add(AppendSnapshotMeta(nil, exampleSnapshotMeta()))
	f.Add(AppendSnapshotMeta(nil, SnapshotMeta{}))
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := DecodeSnapshotMeta(b)
		if err == nil && !bytes.Equal(AppendSnapshotMeta(nil, m), b) {
			t.Fatalf("%x decodes, but encodes to %x", b, AppendSnapshotMeta(nil, m))
		}
	})
}

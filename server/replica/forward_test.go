package replica

import (
	"bytes"
	"encoding/hex"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/holdfast-db/holdfast/mvcc"
	"github.com/holdfast-db/holdfast/raft"
	"github.com/holdfast-db/holdfast/server/auth"
	"github.com/holdfast-db/holdfast/server/state"
	"github.com/holdfast-db/holdfast/transport"
)

func payloadOf(t testing.TB, frame []byte, kind transport.Kind) []byte {
	t.Helper()
	f, rest, err := transport.DecodeFrame(frame)
	if err != nil || len(rest) > 0 || f.Kind != kind {
		t.Fatalf("frame: kind %v, %d bytes left, %v", f.Kind, len(rest), err)
	}
	return f.Payload
}

func exampleForward() []*Request {
	return []*Request{
		{Kind: Write, Body: []byte("body"), Caller: auth.Caller{Name: "bob", Revision: 3}, id: state.RequestID{Seq: 7}},
		{Kind: KeepAlive, Lease: -5, id: state.RequestID{Seq: askedBit | 1}},
		{Kind: TimeToLive, Lease: 1 << 40, id: state.RequestID{Seq: askedBit | 2}},
	}
}

func TestForwardRoundTrip(t *testing.T) {
	payload := payloadOf(t, appendForward(9, 2, exampleForward()), transport.KindForward)
	got, err := decodeForward(payload)
	if err != nil {
		t.Fatal(err)
	}
	want := forwardBatch{incarnation: 9, boot: 2, items: []forwardItem{
		{kind: Write, seq: 7, caller: auth.Caller{Name: "bob", Revision: 3}, body: []byte("body")},
		{kind: KeepAlive, seq: askedBit | 1, lease: -5, body: []byte{9}},
		{kind: TimeToLive, seq: askedBit | 2, lease: 1 << 40, body: got.items[2].body},
	}}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(forwardBatch{}, forwardItem{})); diff != "" {
		t.Error(diff)
	}
}

func TestAnswersRoundTrip(t *testing.T) {
	want := []answer{{code: answerOK, seq: 1, ttl: 5, granted: 10}, {code: answerTooMany, seq: 1 << 63, ttl: -1}}
	got, err := decodeAnswers(payloadOf(t, appendAnswers(4, want), transport.KindForwardReply))
	if err != nil || got.boot != 4 {
		t.Fatal(got.boot, err)
	}
	if diff := cmp.Diff(want, got.answers, cmp.AllowUnexported(answer{})); diff != "" {
		t.Error(diff)
	}
}

// The bytes between members of different releases must not change silently.
func TestForwardGolden(t *testing.T) {
	for _, c := range []struct {
		name, want string
		got        []byte
	}{
		{"forward", "020900000000000000020300070303626f6204626f6479028180808080808080800100010903828080808080808080010006808080808040",
			payloadOf(t, appendForward(9, 2, exampleForward()), transport.KindForward)},
		{"answers", "02040100 010a14", payloadOf(t, appendAnswers(4, []answer{{code: answerOK, seq: 1, ttl: 5, granted: 10}}), transport.KindForwardReply)},
	} {
		want, err := hex.DecodeString(string(bytes.ReplaceAll([]byte(c.want), []byte(" "), nil)))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(c.got, want) {
			t.Errorf("%s:\n got %x\nwant %x", c.name, c.got, want)
		}
	}
}

// Cut or padded frames are refused, wherever the cut is.
func TestForwardTruncated(t *testing.T) {
	payload := payloadOf(t, appendForward(9, 2, exampleForward()), transport.KindForward)
	for n := range payload {
		if _, err := decodeForward(payload[:n]); err == nil {
			t.Errorf("accepted a payload cut at %d of %d", n, len(payload))
		}
	}
	if _, err := decodeForward(append(payload[:len(payload):len(payload)], 0)); err == nil {
		t.Error("accepted a byte behind the end")
	}
}

// The gate lets nothing through that would stop a member behind it.
func TestDecodeFrameRefuses(t *testing.T) {
	forward := func(seq uint64, body []byte) []byte {
		return appendForward(9, 2, []*Request{{Kind: Write, Body: body, id: state.RequestID{Seq: seq}}})
	}
	put := func(key string) []byte { return state.AppendBody(nil, &mvcc.PutRequest{Key: []byte(key)}) }
	message := func(m raft.Message) []byte {
		m.From, m.To, m.Incarnation, m.Term = 2, 1, 9, 3
		return transport.AppendMessageFrame(nil, &m)
	}
	meta := &raft.SnapshotMeta{
		Last:   raft.EntryID{Term: 3, Index: 9},
		Config: raft.ConfigAt{Config: raft.Configuration{Members: []raft.Member{{ID: 1, Voter: true}}}},
	}
	for _, c := range []struct {
		name  string
		from  raft.NodeID
		frame []byte
		ok    bool
	}{
		{"a command", 2, forward(1, put("k")), true},
		{"a command without bytes", 2, forward(1, nil), false},
		{"a command of unknown kind", 2, forward(1, []byte{0xee, 1, 2}), false},
		{"a command cut short", 2, forward(1, put("k")[:2]), false},
		{"a command without a number", 2, forward(0, put("k")), false},
		{"a heartbeat", 2, message(raft.Message{Type: raft.Heartbeat, Round: 1}), true},
		{"another member's heartbeat", 3, message(raft.Message{Type: raft.Heartbeat, Round: 1}), false},
		{"a snapshot that did not come", 2, message(raft.Message{Type: raft.InstallSnapshot, Snapshot: meta}), false},
		{"a ping", 2, transport.AppendFrame(nil, transport.KindPing, nil), false},
	} {
		f, _, err := transport.DecodeFrame(c.frame)
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		if _, err := DecodeFrame(c.from, f); (err == nil) != c.ok {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

func FuzzForward(f *testing.F) {
	f.Add(payloadOf(f, appendForward(9, 2, exampleForward()), transport.KindForward))
	f.Add([]byte{1, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff, 0xff, 0xff, 0x7f})
	f.Fuzz(func(t *testing.T, b []byte) {
		if got, err := decodeForward(b); err == nil && len(got.items) > len(b) {
			t.Errorf("%d items from %d bytes", len(got.items), len(b))
		}
	})
}

func FuzzAnswers(f *testing.F) {
	f.Add(payloadOf(f, appendAnswers(4, []answer{{seq: 1, ttl: 5}}), transport.KindForwardReply))
	f.Fuzz(func(t *testing.T, b []byte) {
		if got, err := decodeAnswers(b); err == nil && len(got.answers) > len(b) {
			t.Errorf("%d answers from %d bytes", len(got.answers), len(b))
		}
	})
}

package transport

import (
	"errors"
	"strings"
	"testing"

	"github.com/holdfast-db/holdfast/raft"
)

func hello() Hello {
	return Hello{
		Version: 1, Cluster: 0xc, From: 0xa, To: 0xb, Incarnation: 7, Boot: 3, Snapshot: true,
		Term: 9, Durable: raft.EntryID{Term: 8, Index: 1000}, URLs: "http://a:1",
	}
}

func TestHelloGolden(t *testing.T) {
	want := "HFPEER\r\n" + "\x01\x00\x00\x00" + "\x01\x00\x00\x00"
	for _, v := range []byte{0xc, 0xa, 0xb, 7, 3, 9, 8} {
		want += string(v) + "\x00\x00\x00\x00\x00\x00\x00"
	}
	want += "\xe8\x03\x00\x00\x00\x00\x00\x00" + "\x0a\x00http://a:1"
	if got := AppendHello(nil, hello()); string(got) != want {
		t.Fatalf("hello\n got %q\nwant %q", got, want)
	}
}

func TestHelloRoundTrip(t *testing.T) {
	for _, h := range []Hello{hello(), {}, {From: 1}} {
		if got, err := DecodeHello(AppendHello(nil, h)); err != nil || got != h {
			t.Fatalf("%+v became %+v, %v", h, got, err)
		}
	}
	b := AppendHello(nil, hello())
	if got, err := DecodeHello(append(b, "fields of version 2"...)); err != nil || got != hello() {
		t.Fatalf("a later version's hello must be readable: %v", err)
	}
	for n := range b {
		if _, err := DecodeHello(b[:n]); !errors.Is(err, ErrMalformed) {
			t.Fatalf("%d bytes: %v", n, err)
		}
	}
	long := append(b[:helloBytesMin-2:helloBytesMin-2], 1, 0x10)
	if _, err := DecodeHello(append(long, make([]byte, 0x1001)...)); !errors.Is(err, ErrMalformed) {
		t.Fatalf("4 KiB of URLs: %v", err)
	}
	if _, err := DecodeHello([]byte("GET / HTTP/1.1\r\nHost: x\r\n" + strings.Repeat(" ", 200))); !errors.Is(err, ErrMalformed) {
		t.Fatalf("HTTP taken for a hello: %v", err)
	}
}

func TestCheckHello(t *testing.T) {
	self := Hello{Version: 1, Cluster: 0xc, From: 0xb}
	for _, c := range []struct {
		name string
		peer func(*Hello)
		code RefusalCode
		want string
	}{
		{"fits", func(*Hello) {}, 0, ""},
		{"newer", func(h *Hello) { h.Version = 9 }, 0, ""},
		{"too old", func(h *Hello) { h.Version = 0 }, RefusedVersion, "version 0 is too old"},
		{"cluster", func(h *Hello) { h.Cluster = 0xd }, RefusedCluster, "belongs to cluster c, not to d"},
		{"member", func(h *Hello) { h.To = 0xe }, RefusedMember, "this is member b, not e"},
		{"self", func(h *Hello) { h.From = 0xb }, RefusedSelf, "dialled itself"},
	} {
		peer := hello()
		c.peer(&peer)
		got := CheckHello(self, peer)
		switch {
		case c.code == 0 && got != nil:
			t.Errorf("%s: refused: %v", c.name, got)
		case c.code != 0 && (got == nil || got.Code != c.code || !strings.Contains(got.Reason, c.want)):
			t.Errorf("%s: %v (want %q)", c.name, got, c.want)
		}
	}
}

func TestRefusal(t *testing.T) {
	got, err := DecodeRefusal(AppendRefusal(nil, Refusal{Code: RefusedCluster, Reason: "red\x1b[31m\nalert é"}))
	if err != nil || got.Code != RefusedCluster || got.Reason != "red?[31m?alert é" {
		t.Fatalf("%+v, %v", got, err)
	}
	long := AppendRefusal(nil, Refusal{Code: RefusedBusy, Reason: strings.Repeat("é", 2000)})
	if got, err := DecodeRefusal(long); err != nil || len(got.Reason) != RefusalReasonBytesMax {
		t.Fatalf("%d bytes, %v", len(got.Reason), err)
	}
	for _, bad := range []string{"", "\x00why", "\xffwhy", "\x01" + strings.Repeat("x", RefusalReasonBytesMax+1)} {
		if _, err := DecodeRefusal([]byte(bad)); !errors.Is(err, ErrMalformed) {
			t.Fatalf("%.10q: %v", bad, err)
		}
	}
}

func FuzzHello(f *testing.F) {
	f.Add(AppendHello(nil, hello()))
	f.Add(AppendRefusal(nil, Refusal{Code: RefusedSelf, Reason: "you are me"}))
	f.Fuzz(func(t *testing.T, b []byte) {
		if h, err := DecodeHello(b); err == nil {
			if again, err := DecodeHello(AppendHello(nil, h)); err != nil || again != h {
				t.Fatalf("%+v became %+v, %v", h, again, err)
			}
		}
		if r, err := DecodeRefusal(b); err == nil {
			if again, err := DecodeRefusal(AppendRefusal(nil, r)); err != nil || again.Code != r.Code {
				t.Fatalf("%+v became %+v, %v", r, again, err)
			}
		}
	})
}

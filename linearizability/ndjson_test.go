package linearizability

import (
	"bytes"
	"errors"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func encode(t testing.TB, h *History) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := Write(&b, h); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestStoredHistory(t *testing.T) {
	h := generate(seeded(3), plan{operations: 200, clients: 4, keys: 5, ambiguous: 0.05, failed: 0.05, leases: true, compactions: true, watchers: 3})
	h.Base, h.BaseRevision = []KeyValue{kv("base", "\x00 é", 1, 1, 1)}, 1
	b := encode(t, h)
	got, err := Read(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(h, got); diff != "" {
		t.Error(diff)
	}
	if again := encode(t, got); !bytes.Equal(again, b) {
		t.Error("written again, it differs")
	}
	empty, err := Read(bytes.NewReader(encode(t, &History{Log: []Change{}})))
	if err != nil || empty.Log == nil {
		t.Errorf("an empty log is not no log: %v, %v", empty, err)
	}
}

// TestStoredGolden fixes the lines.
func TestStoredGolden(t *testing.T) {
	h := &History{BaseRevision: 1, Operations: []Operation{
		put(3, 10, 25, "a", "1", 2).with(session(4)),
		{Client: 1, Call: 2, Return: Never, Request: Request{Kind: Txn,
			Compares: []Compare{{Key: "a", Target: TargetMod, Relation: Less, Number: 7}},
			Then:     []Request{{Kind: Delete, Key: "a", End: "\x00"}}}},
	}, Watches: []Watch{{Client: 9, Key: "a", Created: 1, Responses: []WatchResponse{{Time: 4, Revision: 2}}}},
		Log: []Change{{KV: kv("a", "1", 2, 2, 1)}}}
	want := `{"history":{"version":1,"base_revision":1,"log":true}}
{"operation":{"client":3,"call":10,"return":25,"session":4,"request":{"kind":"put","key":"a","value":"1"},"response":{"outcome":"ok","revision":2}}}
{"operation":{"client":1,"call":2,"return":9223372036854775807,"request":{"kind":"txn","compares":[{"key":"a","target":"mod","relation":"\u003c","number":7}],"then":[{"kind":"delete","key":"a","end":"\u0000"}]},"response":{"outcome":"ambiguous"}}}
{"watch":{"client":9,"key":"a","created":1,"responses":[{"time":4,"revision":2}]}}
{"change":{"kv":{"key":"a","value":"1","create":2,"mod":2,"version":1}}}
`
	if diff := cmp.Diff(want, string(encode(t, h))); diff != "" {
		t.Error(diff)
	}
}

func TestReadRefuses(t *testing.T) {
	header := `{"history":{"version":1}}` + "\n"
	logged := `{"history":{"version":1,"log":true}}` + "\n"
	op := func(s string) string { return header + `{"operation":` + s + "}" }
	for name, c := range map[string]struct{ text, want string }{
		"nothing":        {"", "empty"},
		"no header":      {`{"watch":{}}`, "header"},
		"two headers":    {header + header, "header"},
		"version":        {`{"history":{"version":2}}`, "version 2"},
		"not JSON":       {header + "x", "line 2"},
		"two records":    {header + `{"watch":{}} {"watch":{}}`, "more than one"},
		"two kinds":      {header + `{"watch":{},"base":{"key":"a"}}`, "2 kinds"},
		"no kind":        {header + `{}`, "0 kinds"},
		"unknown field":  {header + `{"watch":{"colour":1}}`, "colour"},
		"unknown name":   {op(`{"request":{"kind":"frob"}}`), "frob"},
		"no request":     {op(`{}`), "kind"},
		"returns early":  {op(`{"call":2,"return":1,"request":{"kind":"put"}}`), "returned at 1"},
		"negative":       {op(`{"client":-1,"request":{"kind":"put"}}`), "client -1"},
		"compact in txn": {op(`{"request":{"kind":"txn","then":[{"kind":"compact"}]}}`), "depth 1"},
		"deep": {op(`{"request":` + strings.Repeat(`{"kind":"txn","then":[`, 20) + `{"kind":"put"}` + strings.Repeat("]}", 20) + "}"),
			"nested"},
		"not UTF-8":           {header + "{\"watch\":{\"key\":\"\xff\"}}", "UTF-8"},
		"change without log":  {header + `{"change":{"kv":{"mod":2}}}`, "no log"},
		"log with a hole":     {logged + `{"change":{"kv":{"mod":3}}}`, "revision 3 after 1"},
		"log that falls":      {logged + `{"change":{"kv":{"mod":2}}}` + "\n" + `{"change":{"kv":{"mod":1}}}`, "revision 1 after 2"},
		"negative base":       {`{"history":{"version":1,"base_revision":-1}}`, "base revision"},
		"an endless line":     {header + strings.Repeat(" ", lineBytesMax+1), "longer than"},
		"revision below zero": {op(`{"request":{"kind":"put"},"response":{"outcome":"ok","revision":-5}}`), "revision -5"},
	} {
		if _, err := Read(strings.NewReader(c.text)); !errors.Is(err, ErrMalformed) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v (want %q)", name, err, c.want)
		}
	}
	if err := Write(&bytes.Buffer{}, &History{Operations: []Operation{put(1, 0, 1, "\xff", "", 2)}}); err == nil {
		t.Error("a key that can't be read back was written")
	}
}

// FuzzRead: whatever can be read is written and read again the same, and no
// check panics on it or runs away.
func FuzzRead(f *testing.F) {
	h := generate(seeded(3), plan{operations: 20, clients: 4, keys: 3, ambiguous: 0.1, leases: true, compactions: true, watchers: 2})
	f.Add(encode(f, h))
	f.Add([]byte(`{"history":{"version":1}}` + "\n" + `{"operation":{"request":{"kind":"put"},"response":{"outcome":"ok","revision":9223372036854775807}}}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		h, err := Read(bytes.NewReader(b))
		if err != nil {
			return
		}
		written := encode(t, h)
		again, err := Read(bytes.NewReader(written))
		if err != nil {
			t.Fatalf("%v\n%s", err, written)
		}
		if !bytes.Equal(encode(t, again), written) {
			t.Fatal("written again, it differs")
		}
		if len(h.Operations) > 25 {
			return
		}
		report := Check(h, Options{LeasesExpire: true, PerKeyTimeout: 1e8, WindowTimeout: 1e8})
		if !report.OK() && len(h.Operations) <= 8 {
			if err := Render(&bytes.Buffer{}, h, report); err != nil {
				t.Fatal(err)
			}
		}
	})
}

func TestRecorder(t *testing.T) {
	clock := int64(0)
	r := NewRecorder(func() int64 { clock++; return clock }, nil, 0)
	open := r.Begin(1, 0, "n1", Request{Kind: Put, Key: "a", Value: "lost"})
	var clients sync.WaitGroup
	for c := range 8 {
		clients.Go(func() {
			call := r.Begin(c, 0, "", Request{Kind: Range, Key: "b"})
			call.End(Response{Outcome: OK, Revision: 1})
		})
	}
	clients.Wait()
	r.SetLog(nil)
	r.AddWatch(Watch{Key: "a", Start: 1, CreateCall: r.Now()})
	h := r.History()
	open.End(Response{Outcome: OK, Revision: 2})
	if h.Operations[0].Return != Never || h.Operations[0].Response.Outcome != Ambiguous {
		t.Errorf("an operation under way is %v", &h.Operations[0])
	}
	if len(h.Operations) != 9 || h.Log == nil || len(h.Watches) != 1 {
		t.Errorf("%d operations, log %v, %d watches", len(h.Operations), h.Log, len(h.Watches))
	}
	if err := Check(h, Options{}).Err(); err != nil {
		t.Error(err)
	}
	if late := r.History(); late.Operations[0].Return == Never || Check(late, Options{}).OK() {
		t.Error("a write acknowledged at revision 2 that is not in the log holds")
	}
}

// TestRender: a picture for each kind of failure, which names what is wrong.
func TestRender(t *testing.T) {
	stale := []Operation{put(1, 0, 1, "a", "needle", 2), put(1, 2, 3, "a", "2", 3), get(2, 5, 6, "a", 2, kv("a", "needle", 2, 2, 1))}
	watchful, w := watchHistory()
	w.Responses = w.Responses[1:]
	for name, h := range map[string]*History{
		"real time": {Operations: stale},
		"witness":   {Operations: []Operation{put(1, 0, 1, "a", "needle", 2), get(2, 5, 6, "a", 2)}},
		"refused":   {Operations: []Operation{put(1, 0, 1, "a", "needle", 2), put(1, 0, 1, "b", "1", 2)}},
		"watch":     watchful,
	} {
		report := Check(h, Options{})
		var picture, words bytes.Buffer
		if err := Render(&picture, h, report); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if !strings.Contains(picture.String(), "<html") || name != "watch" && !strings.Contains(picture.String(), "needle") {
			t.Errorf("%s: a picture of %d bytes without the operations", name, picture.Len())
		}
		if err := Explain(&words, h, report); err != nil || !strings.Contains(words.String(), "violated") {
			t.Errorf("%s: %q, %v", name, words.String(), err)
		}
	}
	perKey := &Report{Verdicts: []Verdict{{Check: perKeyCheck, Result: Violated, Key: "a"}}}
	var picture bytes.Buffer
	if err := Render(&picture, &History{Operations: stale}, perKey); err != nil || !strings.Contains(picture.String(), "needle") {
		t.Errorf("per key: %d bytes, %v", picture.Len(), err)
	}
	if err := Render(&picture, &History{}, &Report{}); err == nil {
		t.Error("a picture of no failure")
	}
}

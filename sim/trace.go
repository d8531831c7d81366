package sim

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"

	"github.com/cespare/xxhash/v2"

	"github.com/holdfast-db/holdfast/raft"
)

// What names a kind of event in the trace.
type What uint8

const (
	whatNone What = iota
	whatTick
	whatActor
	whatOutput
	whatTimer
	whatJob
	whatFrame
	whatChunk
	whatStart
	whatCrash
	whatFault
	whatHeal
	whatRequest
	whatReply
	whatWatch
	whatClient
	whatCheck
	whatCommit
	whatRole
	whatPhase
	whats // count
)

var whatNames = [whats]string{"none", "tick", "actor", "output", "timer", "job", "frame", "chunk", "start", "crash",
	"fault", "heal", "request", "reply", "watch", "client", "check", "commit", "role", "phase"}

func (w What) String() string { return whatNames[w] }

// trace is the record of a run. Every event goes into the hash; lines in words
// are made only when somebody reads them.
type trace struct {
	hash   *xxhash.Digest
	buf    [40]byte
	events uint64
	out    io.Writer // nil: no lines
	json   bool
	recent ring
}

func newTrace(out io.Writer, json bool) *trace {
	return &trace{hash: xxhash.New(), out: out, json: json}
}

// mark hashes an event and up to three numbers about it.
func (t *trace) mark(at int64, what What, node uint8, a, b, c uint64) {
	t.events++
	binary.LittleEndian.PutUint64(t.buf[0:], uint64(at))
	binary.LittleEndian.PutUint64(t.buf[8:], uint64(what)|uint64(node)<<8)
	binary.LittleEndian.PutUint64(t.buf[16:], a)
	binary.LittleEndian.PutUint64(t.buf[24:], b)
	binary.LittleEndian.PutUint64(t.buf[32:], c)
	t.hash.Write(t.buf[:])
}

// line writes one line in words. Callers guard costly arguments with verbose.
func (t *trace) line(at int64, what What, node uint8, format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	t.recent.add(at, what, node, text)
	if t.out == nil {
		return
	}
	if t.json {
		t.encode(&traceLine{At: at, What: what.String(), Node: node, Text: text})
		return
	}
	io.WriteString(t.out, formatLine(at, what, node, text))
}

// traceLine is a line of a trace in JSON. What raft decided has a kind, a reason
// code and numbers; where one has no meaning it is left out.
type traceLine struct {
	At     int64  `json:"at"` // µs
	What   string `json:"what"`
	Node   uint8  `json:"node"` // 0: none
	Text   string `json:"text"`
	Event  string `json:"event,omitempty"`
	Reason string `json:"reason,omitempty"`
	Term   uint64 `json:"term,omitempty"`
	Peer   uint64 `json:"peer,omitempty"`
	Index  uint64 `json:"index,omitempty"`
}

func (t *trace) encode(l *traceLine) {
	e := json.NewEncoder(t.out)
	e.SetEscapeHTML(false)
	_ = e.Encode(l) // a full disk ends the trace, not the run; the writer knows
}

// decision writes what raft decided, and why.
func (t *trace) decision(at int64, node uint8, ev raft.Event) {
	if !t.json {
		t.line(at, whatRole, node, "%s", ev)
		return
	}
	text := ev.String()
	t.recent.add(at, whatRole, node, text)
	t.encode(&traceLine{
		At: at, What: whatRole.String(), Node: node, Text: text, Event: ev.Kind.String(), Reason: ev.Reason.String(),
		Term: uint64(ev.Term), Peer: uint64(ev.Peer), Index: uint64(ev.Index),
	})
}

func (t *trace) verbose() bool { return t.out != nil }

func formatLine(at int64, what What, node uint8, text string) string {
	who := "    "
	if node != 0 {
		who = fmt.Sprintf("n%-3d", node)
	}
	return fmt.Sprintf("%10.6f %s %-7s %s\n", float64(at)/float64(second), who, what, text)
}

// ring keeps the last lines, for the report of a failure.
type ring struct {
	lines [64]string
	next  int
}

func (r *ring) add(at int64, what What, node uint8, text string) {
	r.lines[r.next%len(r.lines)] = formatLine(at, what, node, text)
	r.next++
}

func (r *ring) list() []string {
	var out []string
	for i := max(0, r.next-len(r.lines)); i < r.next; i++ {
		out = append(out, r.lines[i%len(r.lines)])
	}
	return out
}

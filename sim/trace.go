package sim

import (
	"encoding/binary"
	"fmt"
	"io"

	"github.com/cespare/xxhash/v2"
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
		fmt.Fprintf(t.out, "{\"at\":%d,\"what\":%q,\"node\":%d,\"text\":%q}\n", at, what, node, text)
		return
	}
	io.WriteString(t.out, formatLine(at, what, node, text))
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

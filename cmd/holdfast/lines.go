package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync"
)

// lineWriter puts the lines of several processes on one screen, each whole and
// with its process's name before it.
type lineWriter struct {
	mu    sync.Mutex
	w     io.Writer
	color bool
	raw   bool
}

func (l *lineWriter) write(text string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	_, _ = io.WriteString(l.w, text) // a closed screen is no reason to stop members
}

// colors of names, readable on dark and light.
var colors = []string{"36", "33", "35", "32", "34", "31"}

// wantColor: only on a terminal, and not with NO_COLOR (no-color.org).
func wantColor(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok || os.Getenv("NO_COLOR") != "" {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// prefixed is a writer for one process's output.
func (l *lineWriter) prefixed(i int, name string) io.Writer {
	prefix := name + " │ "
	if l.color {
		prefix = "\x1b[" + colors[i%len(colors)] + "m" + name + " │\x1b[0m "
	}
	return &prefixWriter{lines: l, prefix: prefix}
}

type prefixWriter struct {
	lines  *lineWriter
	prefix string
	rest   []byte // of a line that isn't whole
}

func (p *prefixWriter) Write(b []byte) (int, error) {
	p.rest = append(p.rest, b...)
	for {
		line, rest, whole := bytes.Cut(p.rest, []byte("\n"))
		if !whole {
			return len(b), nil
		}
		text := string(line)
		if !p.lines.raw {
			text = plainLine(line)
		}
		p.lines.write(p.prefix + text + "\n")
		p.rest = append(p.rest[:0], rest...)
	}
}

// plainLine turns a JSON log line into one for people; others stay as they are.
func plainLine(line []byte) string {
	var fields map[string]any
	decoder := json.NewDecoder(bytes.NewReader(line))
	decoder.UseNumber()
	if decoder.Decode(&fields) != nil {
		return string(line)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%-5v %v", fields["level"], fields["msg"])
	for _, name := range []string{"level", "ts", "caller", "msg"} {
		delete(fields, name)
	}
	names := make([]string, 0, len(fields))
	for name := range fields {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		if v := fields[name]; v != "" && v != nil {
			fmt.Fprintf(&b, " %s=%v", name, v)
		}
	}
	return b.String()
}

package main

import (
	"fmt"
	"io"
	"os"
	"time"
)

// statusLine shows where a campaign is: one line that is written over on a
// terminal, a line now and then in a log.
type statusLine struct {
	w        io.Writer
	terminal bool
	color    bool
	next     time.Time // of a line in a log
}

// logEvery is the time between two lines where there is no terminal.
const logEvery = 30 * time.Second

func newStatusLine(w io.Writer) *statusLine {
	s := &statusLine{w: w, terminal: isTerminal(w), next: time.Now().Add(logEvery)}
	s.color = s.terminal && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb" // no-color.org
	return s
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// show writes the line, if it is time.
func (s *statusLine) show(text string, failed bool) {
	switch {
	case s.terminal:
		fmt.Fprintf(s.w, "\r\x1b[K%s", s.paint(text, failed))
	case time.Now().After(s.next):
		s.next = time.Now().Add(logEvery)
		fmt.Fprintln(s.w, text)
	}
}

// say writes something that stays, above the line.
func (s *statusLine) say(text string, failed bool) {
	s.clear()
	fmt.Fprintln(s.w, s.paint(text, failed))
}

func (s *statusLine) clear() {
	if s.terminal {
		fmt.Fprint(s.w, "\r\x1b[K")
	}
}

// paint makes a failure red.
func (s *statusLine) paint(text string, failed bool) string {
	if !s.color || !failed {
		return text
	}
	return "\x1b[31m" + text + "\x1b[0m"
}

package options

import (
	"fmt"
	"io"
	"strings"
)

// helpWidth is where help texts are wrapped.
const helpWidth = 100

// Help lists all flags by group, in etcd's form.
func (s *Set) Help(w io.Writer) {
	fmt.Fprintf(w, "  --config-file ''\n    YAML or JSON file with the same settings; flags and ETCD_* variables win over it.\n")
	group := ""
	for _, r := range s.rows {
		if r.FileOnly {
			continue
		}
		if r.group != group {
			group = r.group
			fmt.Fprintf(w, "\n%s:\n", group)
		}
		fmt.Fprintf(w, "  --%s '%s'\n", r.Name, r.shownDefault())
		for line := range strings.SplitSeq(wrap(r.help(), helpWidth-4), "\n") {
			fmt.Fprintf(w, "    %s\n", line)
		}
	}
}

func (r *row) shownDefault() string {
	if r.Default != "" {
		return r.Default
	}
	return r.preset
}

// help says what a flag is for, and what is different here.
func (r *row) help() string {
	switch r.Class {
	case Adapted:
		return r.Help + " Here: " + r.Why + "."
	case Inert:
		return r.Help + " Accepted without effect: " + r.Why + "."
	case Refused:
		return r.Help + " Refused: " + r.Why + "."
	default:
		return r.Help
	}
}

// wrap breaks a text at spaces.
func wrap(text string, width int) string {
	var b strings.Builder
	column := 0
	for i, word := range strings.Fields(text) {
		switch {
		case i == 0:
		case column+1+len(word) > width:
			b.WriteByte('\n')
			column = 0
		default:
			b.WriteByte(' ')
			column++
		}
		b.WriteString(word)
		column += len(word)
	}
	return b.String()
}

package options

import (
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"strings"
)

// Show prints the configuration as a file that --config-file reads, with each
// value's origin if wanted. Options without effect are printed if they were set.
func (s *Set) Show(w io.Writer, origins bool) {
	var section []string
	for _, r := range s.byPlace() {
		path := strings.Split(r.key(), ".")
		above, name := path[:len(path)-1], path[len(path)-1]
		for i := range above {
			if i >= len(section) || strings.Join(section[:i+1], ".") != strings.Join(above[:i+1], ".") {
				fmt.Fprintf(w, "%s%s:\n", strings.Repeat("  ", i), above[i])
				section = above[:i+1]
			}
		}
		section = above
		line := fmt.Sprintf("%s%s: %s", strings.Repeat("  ", len(above)), name, r.asYAML())
		if origins {
			line = fmt.Sprintf("%-60s # %s", line, r.origin)
		}
		fmt.Fprintln(w, line)
	}
}

// byPlace are the rows to show, those of a section together.
func (s *Set) byPlace() []*row {
	var order []string
	sections := map[string][]*row{}
	for _, r := range s.rows {
		if (r.Class == Inert || r.Class == Refused) && r.origin.Kind == FromDefault {
			continue
		}
		section := ""
		if i := strings.LastIndexByte(r.key(), '.'); i >= 0 {
			section, _, _ = strings.Cut(r.key(), ".")
		}
		if _, seen := sections[section]; !seen {
			order = append(order, section)
		}
		sections[section] = append(sections[section], r)
	}
	var out []*row
	for _, section := range order {
		out = append(out, sections[section]...)
	}
	return out
}

// asYAML writes a value so that YAML reads the same text again: numbers and
// truth values bare, everything else in JSON's quotes.
func (r *row) asYAML() string {
	text := r.value.String()
	if r.Secret && text != "" {
		text = "(hidden)"
	}
	if r.isBare() {
		return text
	}
	quoted, _ := json.Marshal(text) // a text always marshals
	return escapeControls(string(quoted))
}

// escapeControls writes characters as YAML wants them that JSON takes as they are.
func escapeControls(quoted string) string {
	var b strings.Builder
	for _, r := range quoted {
		if r >= 0x7f && r < 0xa0 || r == 0xfeff || r == 0xfffe || r == 0xffff {
			fmt.Fprintf(&b, "\\u%04x", r)
		} else {
			b.WriteRune(r)
		}
	}
	return b.String()
}

// isBare tells whether values are numbers or truth values, which need no quotes.
func (r *row) isBare() bool {
	if _, ok := r.value.(*uint32Value); ok {
		return true
	}
	getter, ok := r.value.(flag.Getter)
	if !ok {
		return false
	}
	switch getter.Get().(type) {
	case bool, int, int64, uint, uint64:
		return true
	}
	return false
}

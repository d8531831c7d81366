package wal

import (
	"fmt"
	"io"
	"strings"
)

// WriteList prints files as a table.
func WriteList(w io.Writer, rows []FileRow) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%-24s %-8s %10s %8s %-21s %s\n", "FILE", "ROLE", "BYTES", "BATCHES", "ENTRIES", "GOES ON FROM")
	for _, r := range rows {
		batches, entries, link := "", "", ""
		if r.Role == "segment" {
			batches, entries, link = fmt.Sprint(r.Batches), "none", r.Link.String()
			if r.First <= r.Last {
				entries = fmt.Sprintf("%d..%d", r.First, r.Last)
			}
		}
		line := fmt.Sprintf("%-24s %-8s %10d %8s %-21s %s", r.Name, r.Role, r.Bytes, batches, entries, link)
		b.WriteString(strings.TrimRight(line, " ") + "\n")
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// WriteBatch prints a batch on one line; with entries, one more line for each.
func WriteBatch(w io.Writer, r BatchRow, entries bool) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%016x @%-9d ", r.At.Seq, r.At.Offset())
	if r.Gap {
		fmt.Fprintf(&b, "?? %s\n", r.Problem)
		_, err := io.WriteString(w, b.String())
		return err
	}
	kind := r.Kind.String()
	if r.Kind == KindOpen {
		kind += "+" + r.Carried.String()
	}
	fmt.Fprintf(&b, "%-13s prev=%v last=%v term=%d vote=%v commit=%d synced=%v chain=%08x",
		kind, r.Prev, r.Last, r.HardState.Term, r.HardState.Vote, r.HardState.Commit, r.Synced, r.Chain)
	if r.Problem != "" {
		fmt.Fprintf(&b, " !! %s", r.Problem)
	}
	b.WriteByte('\n')
	if entries {
		for _, e := range r.Entries {
			fmt.Fprintf(&b, "    %v %v %d bytes crc=%08x%s\n", e.ID, e.Type, e.Bytes, e.CRC, map[bool]string{true: " DAMAGED"}[e.Damaged])
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// WriteReport prints the outcome of Verify, the verdict last.
func WriteReport(w io.Writer, r Report) error {
	var b strings.Builder
	s := r.Super
	fmt.Fprintf(&b, "super     version %d: cluster %x member %x incarnation %x, started %d times\n",
		s.Version, s.Cluster, s.Member, uint64(s.Incarnation), s.Boot)
	fmt.Fprintf(&b, "          log starts in segment %d after snapshot %v; durable at least to %v\n", s.Start, s.Snapshot, s.Floor.At)
	fmt.Fprintf(&b, "log       %d segments, %d batches, entries %v to %v, proven to %v\n", r.Segments, r.Batches, r.First, r.Last, r.Proven)
	fmt.Fprintf(&b, "hard      term %d, vote %v, commit %d\n", r.HardState.Term, r.HardState.Vote, r.HardState.Commit)
	if r.Torn != nil {
		fmt.Fprintf(&b, "torn      %v; never acknowledged\n", r.Torn)
	}
	for _, d := range r.Damage {
		fmt.Fprintf(&b, "damage    %v\n", d)
	}
	for _, f := range r.Faults {
		fmt.Fprintf(&b, "lost      %v\n", f)
	}
	if r.OK() {
		b.WriteString("ok        nothing durable is lost\n")
	} else {
		fmt.Fprintf(&b, "CORRUPT   %s\n", r.Problem)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

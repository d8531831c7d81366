package torture

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	lin "github.com/holdfast-db/holdfast/linearizability"
)

// judge runs every check and returns what each said, and what failed. The record's own checks come first: they are the
// plainest.
func (t *torture) judge(number int, r *record) (said, failures []string) {
	note := func(name string, failed bool, verdict string) {
		said = append(said, name+": "+verdict)
		if failed {
			failures = append(failures, name+": "+verdict)
		}
	}
	for _, c := range checks {
		if err := c.check(r); err != nil {
			note(c.name, true, err.Error())
		} else {
			note(c.name, false, "ok")
		}
	}
	h := r.history()
	// No windows: a search over the whole state is for a handful of clients; with 64 at once it does not end. The
	// witness and the search by key judge all operations here.
	report := lin.Check(h, lin.Options{PerKeyTimeout: time.Minute, Windows: -1})
	for _, v := range report.Verdicts {
		said = append(said, v.String())
		if v.Failed() {
			failures = append(failures, v.String())
		}
	}
	if len(failures) > 0 && t.config.KeepDir != "" {
		if err := keep(t.config.KeepDir, t.config.Seed, number, h, report); err != nil {
			failures = append(failures, fmt.Sprintf("and the history could not be kept: %v", err))
		}
	}
	return said, failures
}

// history translates a record for package linearizability. Each stream of a watcher is a watcher of its own there;
// that the streams join without a gap is what checkWatchers sees to. Only the last one must reach the end.
func (r *record) history() *lin.History {
	h := &lin.History{Base: r.Base, BaseRevision: r.BaseRevision, Operations: r.Operations, Log: r.Evidence[0].Log}
	if h.Log == nil {
		h.Log = []lin.Change{} // nil would mean that there is none to look at
	}
	for i, w := range r.Watchers {
		for j, s := range w.streams {
			watch := lin.Watch{Client: i, Key: w.key, End: w.end, Start: s.Start, PrevKV: true, Created: s.Created}
			if j == len(w.streams)-1 {
				watch.MustReach = r.Last
			}
			for _, one := range s.Responses {
				watch.Responses = append(watch.Responses, lin.WatchResponse{Time: one.Time, Revision: one.Revision, Events: one.Changes})
			}
			h.Watches = append(h.Watches, watch)
		}
	}
	return h
}

// keep writes a failed history as NDJSON, what it means as text, and Porcupine's picture of it.
func keep(dir string, seed uint64, round int, h *lin.History, report *lin.Report) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	name := func(kind string) string {
		return filepath.Join(dir, fmt.Sprintf("seed%d-round%d.%s", seed, round, kind))
	}
	for kind, write := range map[string]func(*os.File) error{
		"ndjson": func(f *os.File) error { return lin.Write(f, h) },
		"txt":    func(f *os.File) error { return lin.Explain(f, h, report) },
		"html":   func(f *os.File) error { return lin.Render(f, h, report) },
	} {
		if kind == "html" && report.OK() {
			continue // only the plain checks failed: no picture to draw
		}
		f, err := os.Create(name(kind))
		if err != nil {
			return err
		}
		if err := write(f); err != nil {
			f.Close()
			return err
		}
		if err := f.Close(); err != nil {
			return err
		}
	}
	return nil
}

// longestGap is the longest time within the round in which no write was acknowledged to anybody.
func longestGap(r *record) time.Duration {
	var returns []int64
	for _, op := range r.Operations {
		if op.Response.Outcome == lin.OK && !readOnly(op.Request) {
			returns = append(returns, op.Return)
		}
	}
	slices.SortFunc(returns, cmp.Compare[int64])
	var gap int64
	for i := 1; i < len(returns); i++ {
		gap = max(gap, returns[i]-returns[i-1])
	}
	return time.Duration(gap)
}

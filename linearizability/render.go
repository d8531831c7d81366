package linearizability

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/anishathalye/porcupine"
)

const (
	// renderedMax bounds the operations in a picture: a browser has to draw it.
	renderedMax = 400
	// renderTimeout bounds the search for how far an order can be found.
	renderTimeout = 3 * time.Second
	// explainedMax bounds the operations that an explanation spells out.
	explainedMax = 12
)

// Explain writes, for people, what is wrong and which operations are about it.
// It writes nothing for a report that holds.
func Explain(w io.Writer, h *History, report *Report) error {
	var b strings.Builder
	for _, v := range report.Verdicts {
		if !v.Failed() {
			continue
		}
		fmt.Fprintf(&b, "%s check: %v\n  %s\n", v.Check, v.Result, strings.ReplaceAll(v.Reason, "\n", "\n  "))
		for n, i := range v.Operations {
			if n == explainedMax {
				fmt.Fprintf(&b, "  … and %d more operations\n", len(v.Operations)-n)
				break
			}
			fmt.Fprintf(&b, "  operation %d: %v\n", i, &h.Operations[i])
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// Render writes Porcupine's interactive picture (HTML) of the first failure in
// the report: the history of its key, or the operations around it on the whole
// store. It shows how far an order could be found, and where it ends.
func Render(w io.Writer, h *History, report *Report) error {
	v := report.First()
	if v == nil {
		return fmt.Errorf("linearizability: nothing to render, the history holds")
	}
	if v.Key != "" {
		k := projectKeys(h)
		ops := k.byKey[v.Key]
		model := k.model()
		_, info := porcupine.CheckOperationsVerbose(model, ops, renderTimeout)
		return porcupine.Visualize(model, info, w)
	}
	replay, _ := checkWitness(h, &Options{LeasesExpire: true})
	focus := around(h, v)
	from := replay.Base
	if len(focus) > 0 {
		from = min(lowestRevision(h, focus)-1, replay.Last())
	}
	win := window{operations: focus, made: make([]int64, len(focus))}
	model := windowModel(replay.StateAt(max(from, replay.Base)))
	_, info := porcupine.CheckOperationsVerbose(model, win.history(h), renderTimeout)
	annotate(&info, h, v)
	return porcupine.Visualize(model, info, w)
}

// around picks the operations nearest in time to those of a verdict.
func around(h *History, v *Verdict) []int {
	if len(h.Operations) == 0 {
		return nil
	}
	at := h.Operations[len(h.Operations)-1].Call
	if len(v.Operations) > 0 {
		at = h.Operations[v.Operations[0]].Call
	}
	distance := func(i int) int64 {
		if slices.Contains(v.Operations, i) {
			return -1
		}
		d := h.Operations[i].Call - at
		return max(d, -d)
	}
	var list []int
	for i := range h.Operations {
		op := &h.Operations[i]
		if op.Response.Outcome != Failed && op.Request.Kind != Compact && !op.Request.Serializable && op.Request.Revision == 0 {
			list = append(list, i)
		}
	}
	slices.SortStableFunc(list, func(a, b int) int { return cmp.Compare(distance(a), distance(b)) })
	list = list[:min(len(list), renderedMax)]
	slices.Sort(list)
	return list
}

func lowestRevision(h *History, list []int) int64 {
	lowest := Never
	for _, i := range list {
		if op := &h.Operations[i]; op.Response.Outcome == OK {
			lowest = min(lowest, op.Response.Revision)
		}
	}
	return lowest
}

// annotate puts the reason beside the picture, at the operations it names.
func annotate(info *porcupine.LinearizationInfo, h *History, v *Verdict) {
	var notes []porcupine.Annotation
	for _, i := range v.Operations[:min(len(v.Operations), explainedMax)] {
		op := &h.Operations[i]
		end := op.Return
		if op.Response.Outcome == Ambiguous {
			end = op.Call
		}
		notes = append(notes, porcupine.Annotation{
			Tag: v.Check, Start: op.Call, End: end,
			Description: fmt.Sprintf("%s: %v", v.Check, v.Result), Details: v.Reason, BackgroundColor: "#ff9191",
		})
	}
	info.AddAnnotations(notes)
}

// String prints the store, for the picture.
func (s *State) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "revision %d:", s.Revision)
	for i, kv := range s.KVs() {
		if i == describedKVsMax {
			fmt.Fprintf(&b, " … %d keys", len(s.keys))
			break
		}
		fmt.Fprintf(&b, " %s=%q", kv.Key, kv.Value)
	}
	return b.String()
}

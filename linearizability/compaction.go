package linearizability

import "math"

// compactions knows which compactions were asked for.
type compactions struct {
	called []sighting // time of call, revision
	done   []sighting // time of return, revision: acknowledged
}

func gatherCompactions(h *History) *compactions {
	c := &compactions{}
	for i := range h.Operations {
		op := &h.Operations[i]
		if op.Request.Kind != Compact || op.Response.Outcome == Failed {
			continue
		}
		c.called = append(c.called, sighting{op.Call, op.Request.Revision, i})
		if op.Response.Outcome == OK {
			c.done = append(c.done, sighting{op.Return, op.Request.Revision, i})
		}
	}
	return c
}

// possible is the highest revision that may have been compacted by a time.
func (c *compactions) possible(time int64) int64 { return highest(c.called, time) }

// certain is the highest revision that had been compacted before a time.
func (c *compactions) certain(time int64) int64 {
	if time == math.MinInt64 {
		return 0
	}
	return highest(c.done, time-1)
}

// asked tells whether a compaction at exactly this revision was asked for by a time.
func (c *compactions) asked(revision, time int64) bool {
	for _, s := range c.called {
		if s.revision == revision && s.time <= time {
			return true
		}
	}
	return false
}

func highest(list []sighting, time int64) int64 {
	var top int64
	for _, s := range list {
		if s.time <= time {
			top = max(top, s.revision)
		}
	}
	return top
}

// checkRevisionErrors holds reads of old revisions against the compactions.
// Members compact at their own pace, so a serializable read may still find what
// another member has forgotten.
func checkRevisionErrors(h *History, _ *Replay, seen []sighting) Verdict {
	c := gatherCompactions(h)
	k := known{rest: seen}
	for _, i := range byCall(h) {
		op := &h.Operations[i]
		if op.Request.Kind != Range || op.Request.Revision <= 0 {
			continue
		}
		at := op.Request.Revision
		switch {
		case op.Response.Outcome == OK && !op.Request.Serializable && at < c.certain(op.Call):
			return violated(realTimeCheck, []int{i}, "%v\nread what had been compacted at %d before it was called", op, c.certain(op.Call))
		case op.Response.Outcome != Failed:
		case op.Response.Error == ErrorCompacted && at >= c.possible(op.Return):
			return violated(realTimeCheck, []int{i}, "%v\nbut nobody had asked for a compaction above %d", op, c.possible(op.Return))
		case op.Response.Error == ErrorFuture && !op.Request.Serializable && at <= k.before(op.Call).revision:
			return violated(realTimeCheck, []int{i}, "%v\nbut revision %d was known before it was called", op, k.top.revision)
		}
	}
	return holds(realTimeCheck)
}

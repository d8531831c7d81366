package linearizability

import (
	"slices"
	"sync"
)

// Recorder collects a history while clients run. Its methods may be called
// from any goroutine.
//
// The times must not be wider than the truth on the inside: Begin is called
// before the request is handed to the client library, End after it answered.
type Recorder struct {
	now func() int64
	mu  sync.Mutex
	h   History
}

// NewRecorder returns a Recorder of a store that holds base at baseRevision
// (nil and 1 for an empty one). now is monotonic; its unit is the history's.
func NewRecorder(now func() int64, base []KeyValue, baseRevision int64) *Recorder {
	return &Recorder{now: now, h: History{Base: slices.Clone(base), BaseRevision: baseRevision}}
}

// Call is an operation under way.
type Call struct {
	r     *Recorder
	index int
}

// Begin records the call of a request. session may be 0, and member "": see
// Operation.
func (r *Recorder) Begin(client int, session int64, member string, request Request) Call {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.h.Operations = append(r.h.Operations, Operation{
		Client: client, Session: session, Member: member, Request: request, Call: r.now(), Return: Never,
	})
	return Call{r, len(r.h.Operations) - 1}
}

// End records the answer. A call that never ends stays ambiguous.
func (c Call) End(response Response) {
	c.r.mu.Lock()
	defer c.r.mu.Unlock()
	op := &c.r.h.Operations[c.index]
	op.Return, op.Response = c.r.now(), response
}

// AddWatch adds a watcher's record.
func (r *Recorder) AddWatch(w Watch) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.h.Watches = append(r.h.Watches, w)
}

// SetLog sets the log: see History.Log. An empty one says that nothing happened.
func (r *Recorder) SetLog(log []Change) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.h.Log = slices.Clone(log)
	if r.h.Log == nil {
		r.h.Log = []Change{}
	}
}

// Now returns the recorder's time, for the records of watchers.
func (r *Recorder) Now() int64 { return r.now() }

// History returns what has been recorded so far. Operations under way are
// ambiguous in it.
func (r *Recorder) History() *History {
	r.mu.Lock()
	defer r.mu.Unlock()
	h := r.h
	h.Operations = slices.Clone(h.Operations)
	h.Watches = slices.Clone(h.Watches)
	return &h
}

package torture

import (
	"context"
	"fmt"
	"math/rand/v2"
	"regexp"
	"sync/atomic"
	"time"

	lin "github.com/holdfast-db/holdfast/linearizability"
)

// requestTimeout is how long a writer waits; what has not returned by then is ambiguous for ever.
const requestTimeout = 3 * time.Second

// afterError is how long a writer waits before it goes elsewhere, so that refusals alone don't keep the machine busy.
const afterError = 30 * time.Millisecond

// prefix of all keys that writers use.
const prefix = "t/"

// writer is one client. It keeps what it learnt of keys, so that its compares succeed about as often as they fail.
type writer struct {
	id      int
	round   int
	keys    int
	clients *clients
	random  *rand.Rand
	now     func() int64
	acks    *atomic.Int64
	member  int
	writes  int
	known   map[string]int64 // mod revision as last seen
	errors  Counts           // of operations that were not acknowledged, by text
	out     []lin.Operation
	tally   Tally
}

// address is what differs between error texts that mean the same.
var address = regexp.MustCompile(`\d+(\.\d+){3}:\d+`)

// Tally counts operations by their outcome.
type Tally struct {
	OK        int `json:"acknowledged"`
	Ambiguous int `json:"ambiguous"` // no answer, or one that leaves open whether it happened
	Failed    int `json:"refused"`
}

func (t *Tally) add(o Tally) {
	t.OK, t.Ambiguous, t.Failed = t.OK+o.OK, t.Ambiguous+o.Ambiguous, t.Failed+o.Failed
}

// run sends one request after the other until ctx ends. The last ones are given time to return.
func (w *writer) run(ctx context.Context) {
	for ctx.Err() == nil {
		if w.random.IntN(50) == 0 {
			w.member = w.random.IntN(len(w.clients.members))
		}
		op := w.do(w.draw())
		switch op.Response.Outcome {
		case lin.OK:
			w.tally.OK++
			w.learn(op)
			if !readOnly(op.Request) {
				w.acks.Add(1)
			}
		case lin.Failed:
			w.tally.Failed++
		default:
			w.tally.Ambiguous++
		}
		// A read that failed claims nothing and changed nothing; it would only lengthen the history.
		if op.Response.Outcome == lin.OK || !readOnly(op.Request) && op.Response.Outcome == lin.Ambiguous {
			w.out = append(w.out, op)
		}
		if op.Response.Outcome != lin.OK {
			w.errors[address.ReplaceAllString(op.Response.Error, "…")]++
			w.member = w.random.IntN(len(w.clients.members))
			pause(ctx, afterError)
		}
	}
}

func (w *writer) do(r lin.Request) lin.Operation {
	op := lin.Operation{Client: w.id, Call: w.now(), Member: w.clients.members[w.member].Name, Request: r}
	// Not the round's context: a request that is cut off by the end of the round would be ambiguous for no reason.
	ctx, cancel := context.WithTimeout(context.Background(), requestTimeout)
	defer cancel()
	op.Response = send(ctx, w.clients.get(w.member, w.id), r)
	op.Return = w.now()
	if op.Response.Outcome == lin.Ambiguous {
		op.Return = lin.Never
	}
	return op
}

func (w *writer) key() string { return fmt.Sprintf("%sk%05d", prefix, w.random.IntN(w.keys)) }

// value is unique over all writers and rounds.
func (w *writer) value() string {
	w.writes++
	return fmt.Sprintf("r%d.w%d.%d", w.round, w.id, w.writes)
}

// draw makes up the next request.
func (w *writer) draw() lin.Request {
	switch n := w.random.IntN(100); {
	case n < 45:
		return lin.Request{Kind: lin.Put, Key: w.key(), Value: w.value()}
	case n < 65:
		return lin.Request{Kind: lin.Range, Key: w.key()}
	case n < 70:
		from := w.key()
		return lin.Request{Kind: lin.Range, Key: from, End: end(from)}
	case n < 76:
		return lin.Request{Kind: lin.Delete, Key: w.key()}
	case n < 90:
		return w.swap()
	default:
		return w.transfer()
	}
}

// end of a range of at most ten keys: all that share all but the last digit.
func end(key string) string {
	return key[:len(key)-1] + ":" // ':' follows '9'
}

// swap writes a key if it is as this writer last saw it, and reads it otherwise.
func (w *writer) swap() lin.Request {
	key := w.key()
	for k := range 20 { // prefer a key that is known; try a few
		if _, ok := w.known[key]; ok || k == 19 {
			break
		}
		key = w.key()
	}
	return lin.Request{
		Kind:     lin.Txn,
		Compares: []lin.Compare{{Key: key, Target: lin.TargetMod, Relation: lin.Equal, Number: w.known[key]}},
		Then:     []lin.Request{{Kind: lin.Put, Key: key, Value: w.value()}},
		Else:     []lin.Request{{Kind: lin.Range, Key: key}},
	}
}

// transfer writes two keys at once, deletes a third and reads the first back.
func (w *writer) transfer() lin.Request {
	n := w.random.IntN(w.keys)
	name := func(i int) string { return fmt.Sprintf("%sk%05d", prefix, (n+i)%w.keys) }
	return lin.Request{Kind: lin.Txn, Then: []lin.Request{
		{Kind: lin.Put, Key: name(0), Value: w.value()},
		{Kind: lin.Put, Key: name(1), Value: w.value()},
		{Kind: lin.Delete, Key: name(2)},
		{Kind: lin.Range, Key: name(0)},
	}}
}

// learn remembers the revisions that a reply showed.
func (w *writer) learn(op lin.Operation) {
	for _, kv := range op.Response.KVs {
		w.known[kv.Key] = kv.Mod
	}
	if op.Request.Kind == lin.Put {
		w.known[op.Request.Key] = op.Response.Revision
	}
	for _, r := range op.Response.Responses {
		for _, kv := range r.KVs {
			w.known[kv.Key] = kv.Mod
		}
	}
}

func readOnly(r lin.Request) bool { return r.Kind == lin.Range }

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

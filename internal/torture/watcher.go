package torture

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"go.etcd.io/etcd/api/v3/mvccpb"
	clientv3 "go.etcd.io/etcd/client/v3"

	lin "github.com/holdfast-db/holdfast/linearizability"
)

// watcher follows a range of keys through all that happens: it leaves now and then, or loses its member, and resumes
// right behind the last revision that it saw, through any member.
type watcher struct {
	key, end string
	clients  *clients
	random   *rand.Rand
	now      func() int64
	next     int64 // the first revision not seen yet
	streams  []stream
	resumes  int
	events   int
}

// stream is one watch, from its start to its end.
type stream struct {
	Start     int64 // start revision asked for
	Created   int64 // header revision of the answer to it
	Responses []response
}

// response is one message of a watch.
type response struct {
	Time     int64
	Revision int64 // of the header
	Progress bool
	Changes  []lin.Change
}

// newWatcher spreads watchers over kinds of range: all keys, a tenth, one key.
func newWatcher(i, keys int, from int64, c *clients, random *rand.Rand, now func() int64) *watcher {
	w := &watcher{clients: c, random: random, now: now, next: from}
	switch i % 4 {
	case 0, 1:
		w.key, w.end = prefix, clientv3.GetPrefixRangeEnd(prefix)
	case 2:
		first := random.IntN(keys)
		w.key, w.end = fmt.Sprintf("%sk%05d", prefix, first), fmt.Sprintf("%sk%05d", prefix, min(keys, first+keys/10))
	default:
		w.key = fmt.Sprintf("%sk%05d", prefix, random.IntN(keys))
	}
	return w
}

// run watches until ctx ends. After that drain brings the watcher to the end of the history.
func (w *watcher) run(ctx context.Context) {
	for ctx.Err() == nil {
		life, cancel := context.WithTimeout(ctx, time.Duration(500+w.random.IntN(4000))*time.Millisecond)
		w.follow(life, 0)
		cancel()
		w.resumes++
	}
}

// drain watches on until every revision up to last was delivered or passed by.
func (w *watcher) drain(ctx context.Context, last int64) error {
	for w.next <= last {
		if ctx.Err() != nil {
			return fmt.Errorf("torture: a watcher of [%q, %q) stands before revision %d, the history ends at %d", w.key, w.end, w.next, last)
		}
		life, cancel := context.WithTimeout(ctx, 5*time.Second)
		w.follow(life, last)
		cancel()
	}
	return nil
}

// follow is one stream through a random member. With until > 0 it ends once that revision is behind it: progress is
// asked for, since the last revisions may concern other keys.
func (w *watcher) follow(ctx context.Context, until int64) {
	ctx, cancel := context.WithCancel(clientv3.WithRequireLeader(ctx))
	defer cancel()
	client := w.clients.get(w.random.IntN(len(w.clients.members)), w.random.IntN(clientsPerMember))
	opts := []clientv3.OpOption{clientv3.WithRev(w.next), clientv3.WithPrevKV(), clientv3.WithCreatedNotify()}
	if w.end != "" {
		opts = append(opts, clientv3.WithRange(w.end))
	}
	s := stream{Start: w.next}
	responses := client.Watch(ctx, w.key, opts...)
	ask := time.NewTicker(50 * time.Millisecond)
	defer ask.Stop()
	for until == 0 || w.next <= until {
		select {
		case r, open := <-responses:
			if !open || r.Err() != nil {
				w.keep(s)
				return
			}
			w.note(&s, r)
		case <-ask.C:
			if until > 0 {
				_ = client.RequestProgress(ctx) // a lost request is repeated by the next tick
			}
		}
	}
	w.keep(s)
}

func (w *watcher) note(s *stream, r clientv3.WatchResponse) {
	if r.Created {
		s.Created = r.Header.Revision
		return
	}
	out := response{Time: w.now(), Revision: r.Header.Revision, Progress: r.IsProgressNotify()}
	for _, e := range r.Events {
		c := change(e)
		out.Changes = append(out.Changes, c)
		w.next = c.KV.Mod + 1
		w.events++
	}
	if out.Progress { // a promise that nothing up to here is missing
		w.next = max(w.next, out.Revision+1)
	}
	s.Responses = append(s.Responses, out)
}

func (w *watcher) keep(s stream) {
	if len(s.Responses) > 0 { // a stream that said nothing proves nothing
		w.streams = append(w.streams, s)
	}
}

// change translates an event.
func change(e *clientv3.Event) lin.Change {
	return lin.Change{KV: *keyValue(e.Kv), Deleted: e.Type == mvccpb.DELETE, Prev: keyValue(e.PrevKv)}
}

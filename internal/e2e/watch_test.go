package e2e

import (
	"context"
	"fmt"
	"strings"
	"time"

	"go.etcd.io/etcd/api/v3/mvccpb"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// collect reads a watch until n events came; an error, a close or the end of the context fails the test.
func (u *user) collect(w clientv3.WatchChan, n int) []*clientv3.Event {
	u.Helper()
	var events []*clientv3.Event
	deadline := time.After(30 * time.Second)
	for len(events) < n {
		select {
		case r, open := <-w:
			if !open || r.Err() != nil {
				u.Fatalf("the watch ended after %d of %d events: open %t, %v", len(events), n, open, r.Err())
			}
			events = append(events, r.Events...)
		case <-deadline:
			u.Fatalf("%d of %d events came", len(events), n)
		}
	}
	if len(events) > n {
		u.Fatalf("%d events came, want %d", len(events), n)
	}
	return events
}

// story writes events as "PUT a=1 v1 | DELETE a".
func (u *user) story(events []*clientv3.Event) string {
	var parts []string
	for _, e := range events {
		name := strings.TrimPrefix(string(e.Kv.Key), u.prefix)
		if e.Type == mvccpb.DELETE {
			parts = append(parts, "DELETE "+name)
		} else {
			parts = append(parts, fmt.Sprintf("PUT %s=%s v%d", name, e.Kv.Value, e.Kv.Version))
		}
	}
	return strings.Join(parts, " | ")
}

// change writes the small history that the watch scenarios tell: two puts of a, one of b, a deleted.
func (u *user) change(ctx context.Context) (first int64) {
	u.Helper()
	first = must(u.client.Put(ctx, u.key("a"), "1"))(u).Header.Revision
	must(u.client.Put(ctx, u.key("b"), "2"))(u)
	must(u.client.Put(ctx, u.key("a"), "3"))(u)
	must(u.client.Delete(ctx, u.key("a")))(u)
	return first
}

const changeStory = "PUT a=1 v1 | PUT b=2 v1 | PUT a=3 v2 | DELETE a"

func watchNow(u *user) {
	ctx := timeout(u.T, 60*time.Second)
	for i, url := range u.cluster.Endpoints() {
		w := connect(u.T, url).Watch(ctx, u.prefix, clientv3.WithPrefix(), clientv3.WithCreatedNotify())
		if r := <-w; !r.Created {
			u.Fatalf("the first response is not created: %+v", r)
		}
		u.change(ctx)
		want := changeStory
		if i > 0 { // b was there before
			want = strings.Replace(want, "b=2 v1", fmt.Sprintf("b=2 v%d", i+1), 1)
		}
		if got := u.story(u.collect(w, 4)); got != want {
			u.Errorf("member %d: %s, want %s", i+1, got, want)
		}
	}
}

func watchPast(u *user) {
	ctx := timeout(u.T, 60*time.Second)
	first := u.change(ctx)
	for i, url := range u.cluster.Endpoints() {
		client := connect(u.T, url)
		if got := u.story(u.collect(client.Watch(ctx, u.prefix, clientv3.WithPrefix(), clientv3.WithRev(first)), 4)); got != changeStory {
			u.Errorf("member %d, from the past: %s", i+1, got)
		}
		one := u.collect(client.Watch(ctx, u.key("a"), clientv3.WithRev(first+1)), 2)
		if got := u.story(one); got != "PUT a=3 v2 | DELETE a" {
			u.Errorf("member %d, one key: %s", i+1, got)
		}
	}
	// Writes of one transaction arrive in one response, in their order.
	txn := must(u.client.Txn(ctx).Then(clientv3.OpPut(u.key("y"), "1"), clientv3.OpPut(u.key("x"), "2")).Commit())(u)
	r := <-u.client.Watch(ctx, u.prefix, clientv3.WithPrefix(), clientv3.WithRev(txn.Header.Revision))
	if got := u.story(r.Events); got != "PUT y=1 v1 | PUT x=2 v1" {
		u.Errorf("a transaction: %s", got)
	}
}

func watchFilters(u *user) {
	ctx := timeout(u.T, 60*time.Second)
	first := u.change(ctx)
	from := []clientv3.OpOption{clientv3.WithPrefix(), clientv3.WithRev(first)}
	deletes := u.collect(u.client.Watch(ctx, u.prefix, append(from, clientv3.WithFilterPut(), clientv3.WithPrevKV())...), 1)
	if got := u.story(deletes); got != "DELETE a" || string(deletes[0].PrevKv.GetValue()) != "3" {
		u.Errorf("without puts: %s, prev %v", got, deletes[0].PrevKv)
	}
	puts := u.collect(u.client.Watch(ctx, u.prefix, append(from, clientv3.WithFilterDelete(), clientv3.WithPrevKV())...), 3)
	if got := u.story(puts); got != "PUT a=1 v1 | PUT b=2 v1 | PUT a=3 v2" {
		u.Errorf("without deletes: %s", got)
	}
	if puts[0].PrevKv != nil || !puts[0].IsCreate() || string(puts[2].PrevKv.GetValue()) != "1" || !puts[2].IsModify() {
		u.Errorf("previous values: %v", puts)
	}
}

// watchFuture: a watch that starts at a later revision sees nothing before it, not even for a moment.
func watchFuture(u *user) {
	ctx := timeout(u.T, 60*time.Second)
	now := must(u.client.Put(ctx, u.key("a"), "0"))(u).Header.Revision
	w := u.client.Watch(ctx, u.prefix, clientv3.WithPrefix(), clientv3.WithRev(now+200))
	for i := 1; ; i++ {
		rev := must(u.client.Put(ctx, u.key("a"), fmt.Sprint(i)))(u).Header.Revision
		if rev >= now+200 {
			break
		}
	}
	r := <-w
	if r.Err() != nil || len(r.Events) == 0 || r.Events[0].Kv.ModRevision < now+200 {
		u.Fatalf("the first event, of a watch from revision %d: %+v", now+200, r)
	}
}

// watchProgress: an answer to a progress request promises that everything up to its revision was delivered.
func watchProgress(u *user) {
	ctx := timeout(u.T, 60*time.Second)
	w := u.client.Watch(ctx, u.key("a"), clientv3.WithCreatedNotify())
	<-w
	rev := must(u.client.Put(ctx, u.key("a"), "1"))(u).Header.Revision
	last := int64(0)
	for ask := time.NewTicker(20 * time.Millisecond); ; {
		select {
		case <-ask.C: // a request is answered only by a stream whose watchers are all synced, so ask again
			if err := u.client.RequestProgress(ctx); err != nil {
				u.Fatal(err)
			}
		case r := <-w:
			if r.Err() != nil {
				u.Fatal(r.Err())
			}
			for _, e := range r.Events {
				last = e.Kv.ModRevision
			}
			if r.IsProgressNotify() && r.Header.Revision >= rev {
				ask.Stop()
				if last != rev {
					u.Fatalf("progress at %d came before the event at %d", r.Header.Revision, rev)
				}
				return
			}
		case <-ctx.Done():
			u.Fatal("no progress notification came")
		}
	}
}

// manyWatchers: 100 watchers over three kinds of range each get exactly what is theirs.
func manyWatchers(u *user) {
	ctx := timeout(u.T, 60*time.Second)
	const keys, rounds = 30, 4
	first := must(u.client.Put(ctx, u.key("start"), ""))(u).Header.Revision + 1
	type watcher struct {
		events clientv3.WatchChan
		want   int
	}
	var watchers []watcher
	open := func(want int, key string, opts ...clientv3.OpOption) {
		client := connect(u.T, u.cluster.Endpoints()[len(watchers)%len(u.cluster.Members)])
		watchers = append(watchers, watcher{client.Watch(ctx, key, append(opts, clientv3.WithRev(first))...), want})
	}
	for i := range keys {
		open(rounds, u.key(fmt.Sprintf("k%02d", i)))
		open(rounds*(keys-i), u.key(fmt.Sprintf("k%02d", i)), clientv3.WithRange(u.key("l")))
	}
	open(rounds*keys, u.key("k"), clientv3.WithPrefix())
	for r := range rounds {
		for i := range keys {
			must(u.client.Put(ctx, u.key(fmt.Sprintf("k%02d", i)), fmt.Sprint(r)))(u)
		}
	}
	for i, w := range watchers {
		previous := int64(0)
		for _, e := range u.collect(w.events, w.want) {
			if e.Kv.ModRevision <= previous {
				u.Fatalf("watcher %d: revision %d after %d", i, e.Kv.ModRevision, previous)
			}
			previous = e.Kv.ModRevision
		}
	}
}

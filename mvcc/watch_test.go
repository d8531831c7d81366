package mvcc_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/holdfast-db/holdfast/mvcc"
)

// watching is a script with a hub and one stream, which writes down what is
// sent as lines like "0: put a=1@2" or "0: canceled compacted=5".
type watching struct {
	*script
	h   *mvcc.Hub
	got []string
}

const theStream mvcc.StreamID = 1

var plenty = mvcc.Credit{Responses: 1 << 20, Bytes: 1 << 30}

func newWatching(t *testing.T, fragmentBytes int) *watching {
	x := &watching{script: newScript(t)}
	x.h = mvcc.NewHub(x.s, mvcc.HubOptions{FragmentBytes: fragmentBytes})
	x.h.Open(theStream)
	x.h.Grant(theStream, plenty)
	return x
}

func describe(r mvcc.WatchResponse) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d:", r.ID)
	if r.Created {
		b.WriteString(" created")
	}
	if r.Canceled {
		b.WriteString(" canceled")
	}
	if r.CompactRevision != 0 {
		fmt.Fprintf(&b, " compacted=%d", r.CompactRevision)
	}
	if r.CancelReason != "" {
		fmt.Fprintf(&b, " (%s)", r.CancelReason)
	}
	for _, e := range r.Events {
		op := "put"
		if e.Type == mvcc.EventDelete {
			op = "del"
		}
		fmt.Fprintf(&b, " %s %s=%s@%d", op, e.KV.Key, e.KV.Value, e.KV.ModRevision)
		if e.Prev != nil {
			fmt.Fprintf(&b, "<%s@%d", e.Prev.Value, e.Prev.ModRevision)
		}
	}
	if r.Fragment {
		b.WriteString(" …")
	}
	if !r.Created && !r.Canceled && len(r.Events) == 0 {
		fmt.Fprintf(&b, " progress@%d", r.Revision)
	}
	return b.String()
}

func (x *watching) emit(_ mvcc.StreamID, rs []mvcc.WatchResponse) { x.note(rs) }

func (x *watching) note(rs []mvcc.WatchResponse) {
	for _, r := range rs {
		x.got = append(x.got, describe(r))
	}
}

func (x *watching) watch(q mvcc.WatchRequest) { x.note(x.h.Create(theStream, &q)) }

// from is a watch of a range from a revision on.
func from(key, end string, rev int64) mvcc.WatchRequest {
	return mvcc.WatchRequest{Key: []byte(key), End: []byte(end), StartRevision: rev, ID: mvcc.AutoWatchID}
}

func (x *watching) publish() { x.h.Publish(x.emit) }

func (x *watching) catchUp() {
	for x.h.Step(1000, x.emit) {
	}
}

// expect compares what was sent since the last time.
func (x *watching) expect(want ...string) {
	x.t.Helper()
	if fmt.Sprint(x.got) != fmt.Sprint(want) {
		x.t.Fatalf("got:\n  %s\nwant:\n  %s", strings.Join(x.got, "\n  "), strings.Join(want, "\n  "))
	}
	x.got = nil
}

func TestWatchStartsNowPastAndFuture(t *testing.T) {
	x := newWatching(t, 0)
	x.put("a", "1")
	x.publish()
	x.watch(from("a", "", 0))
	x.watch(from("a", "", 2))
	x.watch(from("a", "", 4))
	x.expect("0: created", "1: created", "2: created")
	x.catchUp()
	x.expect("1: put a=1@2")
	x.put("a", "2")
	x.publish()
	x.expect("0: put a=2@3", "1: put a=2@3")
	x.put("a", "3")
	x.publish()
	x.expect("0: put a=3@4", "1: put a=3@4", "2: put a=3@4")
}

// One batch carries a watcher across its future start (#20221), while its
// neighbours in the same group share all of the batch.
func TestWatchFutureStartInsideABatch(t *testing.T) {
	x := newWatching(t, 0)
	x.watch(from("a", "", 0))
	x.watch(from("a", "", 3))
	x.got = nil
	x.put("a", "1")
	x.put("a", "2")
	x.put("a", "3")
	x.publish()
	x.expect("0: put a=1@2 put a=2@3 put a=3@4", "1: put a=2@3 put a=3@4")
}

// A watch created after a batch was applied and before it was published starts
// after the batch.
func TestWatchCreatedBeforePublish(t *testing.T) {
	x := newWatching(t, 0)
	x.put("a", "1")
	x.watch(from("a", "", 0))
	x.watch(from("a", "", 2))
	x.got = nil
	x.put("a", "2")
	x.publish()
	x.expect("0: put a=2@3", "1: put a=1@2 put a=2@3")
}

func TestWatchRefusals(t *testing.T) {
	x := newWatching(t, 0)
	negative := from("a", "", -1)
	x.watch(negative)
	x.watch(from("b", "a", 0))
	x.watch(from("b", "b", 0))
	x.watch(mvcc.WatchRequest{Key: []byte("a"), ID: 5})
	x.watch(mvcc.WatchRequest{Key: []byte("b"), ID: 5})
	x.expect("-1: created canceled (mvcc: required revision has been compacted)",
		"-1: created canceled (mvcc: watcher range is empty)",
		"-1: created canceled (mvcc: watcher range is empty)",
		"5: created",
		"-1: created canceled (mvcc: duplicate watch ID provided on the WatchStream)")
	x.note(x.h.Cancel(theStream, 5))
	x.note(x.h.Cancel(theStream, 5))
	x.note(x.h.Cancel(99, 5))
	x.expect("5: canceled")
	if n := x.h.Watchers(); n != 0 {
		t.Errorf("%d watchers left", n)
	}
}

func TestWatchIDs(t *testing.T) {
	x := newWatching(t, 0)
	x.watch(mvcc.WatchRequest{Key: []byte("a"), ID: 1})
	x.watch(from("a", "", 0))
	x.watch(from("a", "", 0)) // 1 is taken
	x.note(x.h.Cancel(theStream, 0))
	x.watch(from("a", "", 0)) // 0 was used
	x.expect("1: created", "0: created", "2: created", "0: canceled", "3: created")
}

func TestWatchBelowCompaction(t *testing.T) {
	x := newWatching(t, 0)
	for range 5 {
		x.put("a", "v")
	}
	x.compact(4)
	x.publish()
	x.watch(from("a", "", 3))
	x.expect("0: created", "0: canceled compacted=4")
	x.watch(from("a", "", 4))
	x.catchUp()
	x.expect("1: created", "1: put a=v@4 put a=v@5 put a=v@6")
}

// #18089, #19179: a delete at exactly the compacted revision reaches a watch
// from there, however much physical compaction was done.
func TestWatchDeleteAtCompactedRevision(t *testing.T) {
	x := newWatching(t, 0)
	x.put("a", "1")
	x.put("b", "1")
	rev := x.del("a", "")
	x.publish()
	x.compact(rev)
	x.work()
	x.watch(from("a", "z", rev))
	x.catchUp()
	x.expect("0: created", "0: del a=@4")
	x.put("b", "2")
	x.publish()
	x.compact(rev + 1)
	x.work()
	x.watch(from("a", "z", rev))
	x.expect("0: put b=2@5", "1: created", "1: canceled compacted=5")
}

// Physical compaction doesn't outrun what live watchers have yet to be told.
func TestWatchPublishAfterCompaction(t *testing.T) {
	x := newWatching(t, 0)
	x.watch(from("a", "", 0))
	x.put("a", "1")
	x.put("a", "2")
	x.del("a", "")
	x.compact(x.put("b", "1"))
	if !x.s.CompactStep(1000) || !x.s.Compacting() {
		t.Fatal("compaction didn't wait")
	}
	x.publish()
	x.expect("0: created", "0: put a=1@2 put a=2@3 del a=@4")
	x.work()
	if x.s.Compacting() {
		t.Fatal("compaction still waits")
	}
}

// The version before is what a read at the revision before finds; at the
// compacted revision it finds nothing, even if the bytes are still there.
func TestWatchPrevKV(t *testing.T) {
	x := newWatching(t, 0)
	x.put("a", "1")
	x.put("a", "2")
	x.put("a", "3")
	x.del("a", "")
	x.put("a", "4")
	x.publish()
	x.compact(3)
	q := from("a", "", 3)
	q.PrevKV = true
	x.watch(q)
	x.catchUp()
	x.expect("0: created", "0: put a=2@3 put a=3@4<2@3 del a=@5<3@4 put a=4@6")
}

// Catching up goes in slices of whole revisions, and watchers that are close
// together take the same slices.
func TestWatchSlices(t *testing.T) {
	x := newWatching(t, 0)
	x.put("a", "1")
	x.put("b", "1")
	x.del("a", "z")
	x.publish()
	x.watch(from("a", "z", 2))
	x.watch(from("a", "z", 3))
	x.got = nil
	steps := 1
	for x.h.Step(1, x.emit) {
		steps++
	}
	x.expect("0: put a=1@2", "0: put b=1@3", "1: put b=1@3", "0: del a=@4 del b=@4", "1: del a=@4 del b=@4")
	if steps != 3 {
		t.Errorf("%d steps", steps)
	}
}

func TestWatchFilters(t *testing.T) {
	x := newWatching(t, 0)
	for _, f := range []mvcc.WatchRequest{{NoPut: true}, {NoDelete: true}, {NoPut: true, NoDelete: true}} {
		f.Key, f.ID = []byte("a"), mvcc.AutoWatchID
		x.watch(f)
	}
	x.got = nil
	x.put("a", "1")
	x.del("a", "")
	x.publish()
	x.expect("0: del a=@3", "1: put a=1@2")
	x.note(x.h.RequestProgress(theStream))
	x.expect("-1: progress@3")
}

// A revision is one response, unless the watcher takes fragments; revisions
// that are too much together are apart; an event is never torn.
func TestWatchFragments(t *testing.T) {
	x := newWatching(t, 150) // two small events
	big := strings.Repeat("x", 200)
	for _, fragment := range []bool{false, true} {
		q := from("a", "z", 0)
		q.Fragment = fragment
		x.watch(q)
	}
	x.got = nil
	x.put("a", "1")
	x.put("b", "1")
	x.put("c", "1")
	x.put("d", big)
	x.del("a", "e")
	x.publish()
	x.expect(
		"0: put a=1@2 put b=1@3", "0: put c=1@4", "0: put d="+big+"@5", "0: del a=@6 del b=@6 del c=@6 del d=@6",
		"1: put a=1@2 put b=1@3", "1: put c=1@4", "1: put d="+big+"@5", "1: del a=@6 del b=@6 …", "1: del c=@6 del d=@6")
}

// #17529: a stream that can't take more loses nothing and catches up later;
// credit for one response carries all fragments of one revision.
func TestWatchCredit(t *testing.T) {
	x := newWatching(t, 150)
	x.h.Close(theStream)
	x.h.Open(theStream)
	q := from("a", "z", 0)
	q.Fragment = true
	x.watch(q)
	x.put("a", "1")
	x.publish()
	x.catchUp()
	x.expect("0: created")
	x.put("b", "1")
	x.put("c", "1")
	x.publish()
	x.h.Grant(theStream, mvcc.Credit{Responses: 1, Bytes: 1})
	x.catchUp()
	x.expect("0: put a=1@2 put b=1@3")
	x.del("a", "z")
	x.publish()
	x.expect()
	x.note(x.h.RequestProgress(theStream))
	x.expect()
	x.h.Grant(theStream, mvcc.Credit{Responses: 1, Bytes: 1000})
	x.catchUp()
	x.expect("0: put c=1@4")
	x.h.Grant(theStream, mvcc.Credit{Responses: 1, Bytes: 1})
	x.catchUp()
	x.expect("0: del a=@5 del b=@5 …", "0: del c=@5")
	if n := x.h.Behind(); n != 0 {
		t.Errorf("%d behind", n)
	}
}

// Whoever is behind when compaction passes is told so, once; who isn't, not.
func TestWatchOvertakenByCompaction(t *testing.T) {
	x := newWatching(t, 0)
	x.h.Open(2)
	x.h.Create(2, &mvcc.WatchRequest{Key: []byte("a"), ID: 7}) // no credit
	x.watch(from("a", "", 0))
	x.got = nil
	x.put("a", "1")
	x.publish()
	x.compact(x.put("a", "2"))
	x.publish()
	x.catchUp()
	x.expect("0: put a=1@2", "0: put a=2@3", "7: canceled compacted=3")
	x.catchUp()
	x.put("a", "3")
	x.publish()
	x.expect("0: put a=3@4")
}

func TestWatchProgress(t *testing.T) {
	x := newWatching(t, 0)
	x.note(x.h.RequestProgress(theStream)) // no watchers: no answer
	x.note(x.h.RequestProgress(99))
	q := from("a", "", 0)
	q.ProgressNotify = true
	x.watch(q)
	x.expect("0: created")
	x.put("b", "1")
	x.publish()
	x.h.ProgressTick(x.emit)
	x.note(x.h.RequestProgress(theStream))
	x.expect("0: progress@2", "-1: progress@2")
	x.put("a", "1")
	x.publish()
	x.h.ProgressTick(x.emit) // events flowed
	x.expect("0: put a=1@3")
	x.h.ProgressTick(x.emit)
	x.expect("0: progress@3")
	future := from("a", "", 5)
	future.ProgressNotify = true
	x.watch(future)
	x.note(x.h.RequestProgress(theStream))
	x.h.ProgressTick(x.emit) // not for the watch to come
	x.expect("1: created", "0: progress@3")
	past := from("a", "", 1)
	x.note(x.h.Cancel(theStream, 1))
	x.watch(past)
	x.note(x.h.RequestProgress(theStream)) // behind
	x.expect("1: canceled", "2: created")
	x.catchUp()
	x.note(x.h.RequestProgress(theStream))
	x.expect("2: put a=1@3", "-1: progress@3")
}

// #15271: after a snapshot was installed every watcher goes on where it was.
func TestWatchReset(t *testing.T) {
	x := newWatching(t, 0)
	x.h.Open(2) // a stream without credit
	x.h.Create(2, &mvcc.WatchRequest{Key: []byte("a"), End: []byte("z"), ID: 20})
	x.watch(from("a", "z", 0))
	x.watch(from("a", "z", 6))
	x.got = nil
	x.put("a", "1")
	x.publish()
	x.expect("0: put a=1@2")
	// Meanwhile the leader goes on, and sends a snapshot.
	x.put("b", "1")
	x.put("c", "1")
	x.del("b", "")
	x.put("d", "1")
	x.compact(3)
	x.h.Reset(reloaded(t, x.s.View()))
	x.publish()
	x.expect()
	x.catchUp()
	x.expect("20: canceled compacted=3", "1: put d=1@6", "0: put b=1@3 put c=1@4 del b=@5 put d=1@6")
}

// A watcher that the snapshot has left behind is cancelled, not fed with gaps.
func TestWatchResetBeyondCompaction(t *testing.T) {
	x := newWatching(t, 0)
	x.watch(from("a", "z", 0))
	x.got = nil
	x.put("a", "1")
	x.compact(x.put("a", "2"))
	x.h.Reset(reloaded(t, x.s.View()))
	x.catchUp()
	x.expect("0: canceled compacted=3")
}

// Watchers that want the same share the events, and an event its encoding.
func TestWatchSharing(t *testing.T) {
	x := newWatching(t, 0)
	for range 3 {
		x.watch(from("a", "", 0))
	}
	x.put("a", "1")
	var events []*mvcc.Event
	x.h.Publish(func(_ mvcc.StreamID, rs []mvcc.WatchResponse) {
		for _, r := range rs {
			events = append(events, r.Events...)
		}
	})
	if len(events) != 3 || events[0] != events[1] || events[1] != events[2] {
		t.Fatalf("events %v", events)
	}
	made := 0
	for _, e := range events {
		if got := string(e.Encoded(func(e *mvcc.Event) []byte { made++; return e.KV.Key })); got != "a" {
			t.Errorf("encoded %q", got)
		}
	}
	if made != 1 {
		t.Errorf("encoded %d times", made)
	}
}

// A closed stream takes its watchers with it.
func TestWatchClose(t *testing.T) {
	x := newWatching(t, 0)
	x.watch(from("a", "", 0))
	x.watch(from("a", "z", 1))
	x.h.Close(theStream)
	x.h.Close(theStream)
	x.got = nil
	x.put("a", "1")
	x.publish()
	x.catchUp()
	x.expect()
	if x.h.Watchers() != 0 || x.h.Behind() != 0 || x.h.Streams() != 0 {
		t.Errorf("left: %d watchers, %d behind, %d streams", x.h.Watchers(), x.h.Behind(), x.h.Streams())
	}
	if got := x.h.Create(theStream, &mvcc.WatchRequest{Key: []byte("a")}); got != nil {
		t.Errorf("closed stream got %v", got)
	}
}

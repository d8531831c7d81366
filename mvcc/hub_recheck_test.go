package mvcc

import (
	"fmt"
	"slices"
	"testing"
)

// TestRecheck: watchers that are refused end with the reason, live or behind;
// the others go on, and nothing that comes later reaches those that ended.
func TestRecheck(t *testing.T) {
	store := NewStore(Options{})
	hub := NewHub(store, HubOptions{})
	var got []string
	emit := func(id StreamID, rs []WatchResponse) {
		for _, r := range rs {
			line := fmt.Sprintf("%d/%d", id, r.ID)
			if r.Canceled {
				line += " canceled " + r.CancelReason
			}
			for _, ev := range r.Events {
				line += fmt.Sprintf(" %s@%d", ev.KV.Key, ev.KV.ModRevision)
			}
			got = append(got, line)
		}
	}
	put := func(key string) {
		if _, err := store.Put(&PutRequest{Key: []byte(key), Value: []byte("v")}, nil); err != nil {
			t.Fatal(err)
		}
		hub.Publish(emit)
	}
	put("a")
	for _, id := range []StreamID{1, 2} {
		hub.Open(id)
		hub.Grant(id, Credit{Responses: 100, Bytes: 1 << 20})
		for _, w := range []WatchRequest{
			{Key: []byte("a"), ID: AutoWatchID}, {Key: []byte("a"), End: []byte("c"), ID: AutoWatchID}, {Key: []byte("b"), End: []byte{0}, ID: AutoWatchID},
			{Key: []byte("a"), End: []byte("c"), StartRevision: 1, ID: AutoWatchID}, // behind
		} {
			hub.Create(id, &w)
		}
	}
	var asked []string
	hub.Recheck(func(id StreamID, key, end []byte) string {
		asked = append(asked, fmt.Sprintf("%d %q %q", id, key, end))
		if id == 1 && string(key) == "a" {
			return "no"
		}
		return ""
	}, emit)
	slices.Sort(asked)
	if want := []string{`1 "a" ""`, `1 "a" "c"`, `1 "a" "c"`, `1 "b" "\x00"`, `2 "a" ""`, `2 "a" "c"`, `2 "a" "c"`, `2 "b" "\x00"`}; !slices.Equal(asked, want) {
		t.Errorf("asked %q", asked)
	}
	if want := []string{"1/3 canceled no", "1/1 canceled no", "1/0 canceled no"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	got = nil
	put("a")
	put("b")
	for hub.Step(100, emit) {
	}
	slices.Sort(got)
	if want := []string{"1/2 b@4", "2/0 a@3", "2/1 a@3", "2/1 b@4", "2/2 b@4", "2/3 a@2 a@3 b@4"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if hub.Watchers() != 5 || hub.Behind() != 0 {
		t.Errorf("%d watchers, %d behind", hub.Watchers(), hub.Behind())
	}
}

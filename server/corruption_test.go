package server

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/holdfast-db/holdfast/mvcc"
)

// fakeCluster answers a check of member 1 from tables.
type fakeCluster struct {
	own         []dataHash           // answers of this member, one after the other
	peers       map[int64][]dataHash // by revision
	compactions []mvcc.CompactionHash
	asked       []int64 // revisions that peers were asked about
	alarms      []uint64
	log         bytes.Buffer
}

func (f *fakeCluster) check() *corruptionCheck {
	return &corruptionCheck{
		log: slog.New(slog.NewJSONHandler(&f.log, nil)), self: 1,
		own: func(context.Context, int64) (dataHash, error) {
			h := f.own[0]
			if len(f.own) > 1 {
				f.own = f.own[1:]
			}
			return h, h.err
		},
		others: func(_ context.Context, revision int64) []dataHash {
			f.asked = append(f.asked, revision)
			return f.peers[revision]
		},
		catchUp:     func(context.Context) error { return nil },
		compactions: func(context.Context) ([]mvcc.CompactionHash, error) { return f.compactions, nil },
		alarm:       func(member uint64) { f.alarms = append(f.alarms, member) },
	}
}

func mine(hash uint32, compacted, at int64) dataHash {
	return dataHash{member: 1, hash: hash, compacted: compacted, at: at, present: at}
}

func from(member uint64, hash uint32, compacted, present int64) dataHash {
	return dataHash{member: member, hash: hash, compacted: compacted, at: present, present: present}
}

func silent(member uint64, err error) dataHash { return dataHash{member: member, err: err} }

// A member with data starts only if no peer has other data at its revision.
func TestInitialCheck(t *testing.T) {
	for _, tt := range []struct {
		name  string
		own   dataHash
		peers []dataHash
		err   string
		says  string
	}{
		{"alone", mine(7, -1, 10), nil, "", ""},
		{"all agree", mine(7, 3, 10), []dataHash{from(2, 7, 3, 12), from(3, 7, 3, 10)}, "", ""},
		{"one differs", mine(7, 3, 10), []dataHash{from(2, 7, 3, 10), from(3, 8, 3, 10)}, "1 found data inconsistency with peers", "found different hash values"},
		{"compacted elsewhere", mine(7, 3, 10), []dataHash{from(2, 8, 5, 10)}, "", "found different compact revision values"},
		{"slow peer", mine(7, 3, 10), []dataHash{silent(2, mvcc.ErrFutureRevision)}, "", "cannot fetch hash from slow remote peer"},
		{"local member is behind", mine(7, 3, 10), []dataHash{silent(2, mvcc.ErrCompacted)}, "", "local member is behind"},
		{"nobody is there", mine(7, 3, 10), []dataHash{silent(2, errors.New("refused"))}, "", "cannot fetch hash from remote peer"},
		{"no hash of its own", silent(1, errors.New("no view")), nil, "1 failed to fetch hash (no view)", ""},
	} {
		f := &fakeCluster{own: []dataHash{tt.own}, peers: map[int64][]dataHash{10: tt.peers}}
		err := f.check().initial(t.Context())
		if fmt.Sprint(err) != tt.err && (err != nil || tt.err != "") {
			t.Errorf("%s: %v", tt.name, err)
		}
		if !strings.Contains(f.log.String(), tt.says) || tt.says == "" && f.log.Len() > 0 {
			t.Errorf("%s: %s", tt.name, f.log.String())
		}
		if (tt.name == "one differs") != errors.Is(err, ErrInconsistent) {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
}

// Whom the leader blames when it compares all data.
func TestPeriodicCheck(t *testing.T) {
	agreeing := mine(7, 3, 10)
	for _, tt := range []struct {
		name          string
		first, second dataHash
		peers         []dataHash
		alarms        []uint64
	}{
		{"all agree", agreeing, agreeing, []dataHash{from(2, 7, 3, 10), from(3, 7, 3, 9)}, nil},
		{"it went on", agreeing, mine(9, 3, 12), []dataHash{from(2, 7, 3, 12)}, nil},
		{"a peer differs", agreeing, mine(9, 3, 12), []dataHash{from(2, 7, 3, 10), from(3, 8, 3, 10)}, []uint64{3}},
		{"two differ, the first is named", agreeing, agreeing, []dataHash{from(2, 8, 3, 10), from(3, 8, 3, 10)}, []uint64{2}},
		{"the leader changes by itself", agreeing, mine(8, 3, 10), []dataHash{from(2, 8, 3, 10)}, []uint64{1}},
		{"compacted between", agreeing, mine(8, 5, 10), []dataHash{from(2, 7, 3, 10)}, nil},
		{"a peer from the future", agreeing, agreeing, []dataHash{from(2, 7, 3, 11)}, []uint64{2}},
		{"a compaction from the future", agreeing, agreeing, []dataHash{from(2, 7, 4, 10)}, []uint64{2}},
		{"a peer compacted later, as the leader since", agreeing, mine(9, 5, 10), []dataHash{from(2, 9, 5, 10)}, nil},
		{"no answers", agreeing, agreeing, []dataHash{silent(2, mvcc.ErrFutureRevision), silent(3, errors.New("down"))}, nil},
	} {
		f := &fakeCluster{own: []dataHash{tt.first, tt.second}, peers: map[int64][]dataHash{10: tt.peers}}
		if err := f.check().periodic(t.Context()); err != nil {
			t.Errorf("%s: %v", tt.name, err)
		}
		if !slices.Equal(f.alarms, tt.alarms) {
			t.Errorf("%s: alarms for %v, want %v\n%s", tt.name, f.alarms, tt.alarms, f.log.String())
		}
		if !strings.Contains(f.log.String(), "finished peer corruption check") {
			t.Errorf("%s: %s", tt.name, f.log.String())
		}
	}
}

// Compactions are compared from the latest on until all members have answered
// for one; a majority is right, and without one nobody is.
func TestCompactionCheck(t *testing.T) {
	history := []mvcc.CompactionHash{{Revision: 5, CompactRevision: -1, Hash: 50}, {Revision: 9, CompactRevision: 5, Hash: 90}}
	down := errors.New("down")
	for _, tt := range []struct {
		name   string
		peers  map[int64][]dataHash
		agreed int64 // before
		asked  []int64
		after  int64 // agreed
		alarms []uint64
	}{
		{"all agree", map[int64][]dataHash{9: {from(2, 90, 5, 10), from(3, 90, 5, 9)}}, -1, []int64{9}, 9, nil},
		{"nothing new", nil, 9, nil, 9, nil},
		{"alone", nil, 0, []int64{9, 5}, 0, nil},
		{"one is down", map[int64][]dataHash{9: {from(2, 90, 5, 10), silent(3, down)}, 5: {from(2, 50, -1, 10), silent(3, down)}}, 0, []int64{9, 5}, 0, nil},
		{"one has only the older", map[int64][]dataHash{9: {from(2, 90, 5, 10), silent(3, mvcc.ErrFutureRevision)}, 5: {from(2, 50, -1, 10), from(3, 50, -1, 6)}}, 0, []int64{9, 5}, 5, nil},
		{"one was compacted otherwise", map[int64][]dataHash{9: {from(2, 90, 5, 10), from(3, 1, 4, 9)}, 5: {from(2, 50, -1, 10), from(3, 50, -1, 6)}}, 0, []int64{9, 5}, 5, nil},
		{"a follower is wrong", map[int64][]dataHash{9: {from(2, 90, 5, 10), from(3, 1, 5, 9)}}, 0, []int64{9}, 0, []uint64{3}},
		{"the leader is wrong", map[int64][]dataHash{9: {from(2, 1, 5, 10), from(3, 1, 5, 9)}}, 0, []int64{9}, 0, []uint64{1}},
		{"all differ", map[int64][]dataHash{9: {from(2, 1, 5, 10), from(3, 2, 5, 9)}}, 0, []int64{9}, 0, []uint64{0}},
		{"two of four", map[int64][]dataHash{9: {from(2, 90, 5, 10), from(3, 2, 5, 9), from(4, 2, 5, 9)}}, 0, []int64{9}, 0, []uint64{0}},
		{"two of five are wrong", map[int64][]dataHash{9: {from(2, 90, 5, 10), from(3, 2, 5, 9), from(4, 3, 5, 9), from(5, 90, 5, 9)}}, 0, []int64{9}, 0, []uint64{3, 4}},
		{"no quorum answers", map[int64][]dataHash{9: {silent(2, down), from(3, 2, 5, 9)}}, 0, []int64{9}, 0, []uint64{0}},
	} {
		f := &fakeCluster{peers: tt.peers, compactions: history}
		c := f.check()
		c.agreed = tt.agreed
		if err := c.ofCompactions(t.Context()); err != nil {
			t.Errorf("%s: %v", tt.name, err)
		}
		if !slices.Equal(f.alarms, tt.alarms) || !slices.Equal(f.asked, tt.asked) || c.agreed != tt.after {
			t.Errorf("%s: alarms for %v, want %v; asked about %v, want %v; agreed up to %d, want %d\n%s",
				tt.name, f.alarms, tt.alarms, f.asked, tt.asked, c.agreed, tt.after, f.log.String())
		}
		if !strings.Contains(f.log.String(), "finished compaction hash check") {
			t.Errorf("%s: %s", tt.name, f.log.String())
		}
	}
}

// What members ask each other, in etcd's words.
func TestHashKVOverHTTP(t *testing.T) {
	c := newCluster(t, 1)
	for range 3 {
		if _, err := c.client().Put(within(t, 10*time.Second), "k", "v"); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := c.client().Compact(within(t, 10*time.Second), 3); err != nil {
		t.Fatal(err)
	}
	s := c.members[0]
	for _, tt := range []struct {
		name, cluster, body string
		status              int
		want                string
	}{
		{"present", hex(s.settings.cluster), `{"revision":0}`, 200, `"hash_revision":4`},
		{"no cluster given", "", `{"revision":4}`, 200, `"compact_revision":3`},
		{"future", "", `{"revision":5}`, 400, "etcdserver: mvcc: required revision is a future revision"},
		{"compacted", "", `{"revision":2}`, 400, "etcdserver: mvcc: required revision has been compacted"},
		{"another cluster", "1", `{}`, 412, "cluster ID mismatch"},
		{"no JSON", "", `revision`, 400, "error unmarshalling request"},
		{"endless", "", strings.Repeat(" ", 1<<20), 400, "error unmarshalling request"},
	} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, c.configs[0].ListenPeerURLs+hashKVPath, strings.NewReader(tt.body))
		if err != nil {
			t.Fatal(err)
		}
		if tt.cluster != "" {
			r.Header.Set(clusterIDHeader, tt.cluster)
		}
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil || resp.StatusCode != tt.status || !strings.Contains(string(body), tt.want) {
			t.Errorf("%s: %d %s, %v", tt.name, resp.StatusCode, body, err)
		}
	}
}

// An answer that can't be used is an error, and how etcd's reasons come back.
func TestReadHash(t *testing.T) {
	for _, tt := range []struct {
		status int
		body   string
		want   error // nil: any
		ok     bool
	}{
		{200, `{"header":{"revision":9},"hash":1,"compact_revision":-1,"hash_revision":8}`, nil, true},
		{400, "etcdserver: mvcc: required revision has been compacted\n", mvcc.ErrCompacted, false},
		{400, "etcdserver: mvcc: required revision is a future revision\n", mvcc.ErrFutureRevision, false},
		{412, "cluster ID mismatch\n", errClusterMismatch, false},
		{404, "404 page not found", nil, false},
		{200, `{"hash":"x"}`, nil, false},
		{200, strings.Repeat(" ", hashAnswerMax+1) + `{"hash":1}`, nil, false},
	} {
		w := httptest.NewRecorder()
		w.WriteHeader(tt.status)
		_, _ = w.WriteString(tt.body)
		answer, err := readHash(w.Result())
		if (err == nil) != tt.ok || tt.want != nil && err != tt.want {
			t.Errorf("%d %.60s: %v", tt.status, tt.body, err)
		}
		if tt.ok && (answer.Hash != 1 || answer.CompactRevision != -1 || answer.HashRevision != 8 || answer.Header.Revision != 9) {
			t.Errorf("%v", answer)
		}
	}
}

// Healthy members: the checks run, compare everybody, and raise nothing.
func TestChecksOfHealthyCluster(t *testing.T) {
	var log syncBuffer
	c := newCluster(t, 3, func(cfg *Config) {
		cfg.CorruptCheckTime, cfg.CompactHashCheckTime = 100*time.Millisecond, 100*time.Millisecond
		cfg.FeatureGates = "CompactHashCheck=true"
		cfg.Logger = slog.New(slog.NewJSONHandler(&log, nil))
	})
	cli := c.client()
	for i := range 20 {
		got, err := cli.Put(within(t, 10*time.Second), "k", fmt.Sprint(i))
		if err != nil {
			t.Fatal(err)
		}
		if i%5 == 0 {
			if _, err := cli.Compact(within(t, 10*time.Second), got.Header.Revision); err != nil {
				t.Fatal(err)
			}
		}
	}
	wanted := []string{`"finished peer corruption check","number-of-peers-checked":2`, "successfully checked hash on whole cluster"}
	for end := time.Now().Add(20 * time.Second); !containsAll(strings.Join(log.lines(), "\n"), wanted); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not all of %q in\n%s", wanted, strings.Join(log.lines(), "\n"))
		}
	}
	if alarms, err := cli.AlarmList(within(t, 10*time.Second)); err != nil || len(alarms.Alarms) > 0 {
		t.Errorf("%v, %v", alarms, err)
	}
}

func containsAll(text string, parts []string) bool {
	return !slices.ContainsFunc(parts, func(p string) bool { return !strings.Contains(text, p) })
}

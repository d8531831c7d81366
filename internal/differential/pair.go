package differential

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/protobuf/proto"

	"github.com/holdfast-db/holdfast/internal/proc"
)

const (
	// settleTimeout is how long two watch streams may take to say the same.
	settleTimeout = 5 * time.Second
	// resync is more than the time that etcd lets watchers from the past wait (100 ms).
	resync = 250 * time.Millisecond
)

// Pair is one etcd and one Holdfast that get the same steps.
type Pair struct {
	etcd, ours *target
	clusters   [2]*proc.Cluster
	revision   int64     // the newest that etcd's replies named
	past       time.Time // when a watcher that begins in the past was last made
	coverage   *Coverage // nil for none
	began      time.Time
	slowest    time.Duration // that a step took on both: what is counted from a grant on may differ by so much
}

// Start starts both servers in folders below dir.
func Start(ctx context.Context, etcdBinary, holdfastBinary, dir string) (*Pair, error) {
	p := &Pair{revision: 1, began: time.Now()}
	for i, binary := range []string{etcdBinary, holdfastBinary} {
		c, err := proc.Start(ctx, proc.Options{Binary: binary, Members: 1, Dir: fmt.Sprintf("%s/%d", dir, i),
			Args: []string{"--unsafe-no-fsync", "--max-txn-ops=16", "--bcrypt-cost=4"}})
		if err != nil {
			p.Stop()
			return nil, err
		}
		p.clusters[i] = c
		t, err := dial(ctx, []string{"etcd", "holdfast"}[i], c.Endpoints()[0])
		if err != nil {
			p.Stop()
			return nil, err
		}
		*[]**target{&p.etcd, &p.ours}[i] = t
	}
	return p, nil
}

// Stop kills both servers.
func (p *Pair) Stop() {
	if p.coverage != nil {
		for _, w := range p.etcd.streams {
			w.addCancels(p.etcd.cancels)
		}
		p.coverage.NoteCancels(p.etcd.cancels)
		p.coverage = nil
	}
	for _, t := range []*target{p.etcd, p.ours} {
		if t != nil {
			_ = t.close() // the servers are killed next
		}
	}
	for _, c := range p.clusters {
		if c != nil {
			_ = c.KillAll() // fails only if it is gone
		}
	}
}

// Difference is a step that the servers answered differently, or after which their watch streams differ.
type Difference struct {
	Step       Step
	Etcd, Ours string
}

func (d *Difference) String() string {
	return fmt.Sprintf("%s\n    etcd:     %s\n    holdfast: %s", d.Step, d.Etcd, d.Ours)
}

// Do has both servers do a step. It returns etcd's outcome, and the difference if there is one.
func (p *Pair) Do(ctx context.Context, s Step) (outcome, *Difference) {
	p.pause(s)
	begin := time.Now()
	a, b := p.etcd.do(ctx, s), p.ours.do(ctx, s)
	p.slowest = max(p.slowest, time.Since(begin))
	p.note(s, a)
	etcd, ours := a.String(), b.String() // before they are made comparable
	if !same(s, a, b, p.slack()) {
		return a, &Difference{s, etcd, ours}
	}
	return a, p.settle(s)
}

// slack is by how much remaining TTLs may differ by now.
func (p *Pair) slack() slack {
	least := ttlSlack + int64(p.slowest/time.Second)
	return slack{fast: least, slow: least + int64(time.Since(p.began)/time.Second)}
}

func (t *target) do(ctx context.Context, s Step) outcome { return s.do(ctx, t) }

// pause waits before steps whose effect on watchers from the past depends on whether etcd has served those yet.
func (p *Pair) pause(s Step) {
	if _, request := asked(s); isCompaction(request) {
		time.Sleep(time.Until(p.past.Add(resync)))
	}
	switch s := s.(type) {
	case Watch:
		if s.Request.GetCreateRequest().GetStartRevision() > 0 {
			p.past = time.Now()
		}
		if s.Request.GetCreateRequest() == nil {
			time.Sleep(time.Until(p.past.Add(resync)))
		}
	case CloseWatch:
		time.Sleep(time.Until(p.past.Add(resync)))
	}
}

func isCompaction(m proto.Message) bool { _, ok := m.(*pb.CompactionRequest); return ok }

// note keeps the newest revision, and counts.
func (p *Pair) note(s Step, o outcome) {
	if p.coverage != nil {
		p.coverage.Note(s, o)
	}
	if r, ok := o.message.(interface{ GetHeader() *pb.ResponseHeader }); ok {
		p.revision = max(p.revision, r.GetHeader().GetRevision())
	}
}

// settle waits until the watch streams of both servers have told of the newest revision and have said the same.
func (p *Pair) settle(s Step) *Difference {
	deadline := time.Now().Add(settleTimeout)
	for _, id := range slices.Sorted(maps.Keys(p.etcd.streams)) {
		a, b := p.etcd.streams[id], p.ours.streams[id]
		for wait := 50 * time.Microsecond; ; wait = min(2*wait, 10*time.Millisecond) {
			one, two := a.transcript(), b.transcript()
			if one == two && a.caughtUp(p.revision) && b.caughtUp(p.revision) {
				break
			}
			if time.Now().After(deadline) {
				one, two = differing(one, two)
				return &Difference{s, fmt.Sprintf("stream %d\n%s", id, one), fmt.Sprintf("stream %d\n%s", id, two)}
			}
			time.Sleep(wait)
		}
	}
	return nil
}

// differing returns the lines that only one of two transcripts has.
func differing(a, b string) (string, string) {
	one, two := strings.SplitAfter(a, "\n"), strings.SplitAfter(b, "\n")
	return without(one, two), without(two, one)
}

func without(lines, others []string) string {
	have := map[string]int{}
	for _, l := range others {
		have[l]++
	}
	var b strings.Builder
	for _, l := range lines {
		if have[l]--; have[l] < 0 {
			b.WriteString("      " + l)
		}
	}
	return b.String()
}

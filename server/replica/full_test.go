package replica

import (
	"fmt"
	"strings"
	"testing"

	"github.com/holdfast-db/holdfast/internal/disk"
	"github.com/holdfast-db/holdfast/mvcc"
	"github.com/holdfast-db/holdfast/server/state"
)

// fill puts until a put is answered by an error, which it returns.
func (m *member) fill(prefix string) (acknowledged int, err error) {
	m.c.t.Helper()
	for i := range 1000 {
		if r := m.put(fmt.Sprintf("%s%03d", prefix, i), strings.Repeat("v", 3000)); r.Err != nil {
			return i, r.Err
		}
	}
	m.c.t.Fatal("the disk never fills up")
	return 0, nil
}

// A full disk stops writes with etcd's error while there is still room for what
// helps; reads go on; when there is space again so do writes. Nothing that was
// acknowledged is lost, and the member never stops by itself.
func TestDiskFull(t *testing.T) {
	c := newCluster(t, 1, nil)
	m := c.leader()
	m.mustPut("a", "1")
	m.fs.SetSpace(m.fs.Used())
	n, err := m.fill("k")
	if err != state.ErrNoSpace || n == 0 {
		t.Fatalf("after %d puts: %v", n, err)
	}
	if got := m.get("a"); got != "1" {
		t.Errorf("a = %q while the disk is full", got)
	}
	for _, body := range []state.Body{
		&state.CompactRequest{Revision: 3},
		&state.AlarmRequest{Activate: true, Kind: state.AlarmNoSpace, Member: 1},
		&state.AlarmRequest{Kind: state.AlarmNoSpace, Member: 1},
		&state.LeaseRevokeRequest{ID: 99},
	} {
		if r := m.ask(write(body)); r.Err != nil {
			t.Errorf("%T while the disk is full: %v", body, r.Err)
		}
	}
	c.tick(50)
	if r := m.put("b", "2"); r.Err != state.ErrNoSpace {
		t.Errorf("put five seconds later: %v", r.Err)
	}
	m.fs.SetSpace(-1)
	c.tick(30)
	m.mustPut("b", "2")
	m.crash()
	m.start()
	c.leader()
	for i := range n {
		if got := m.get(fmt.Sprintf("k%03d", i)); len(got) != 3000 {
			t.Fatalf("put %d of %d is lost", i, n)
		}
	}
}

// A follower whose disk is full acknowledges nothing but stays; the others go
// on, and it catches up when there is space again.
func TestDiskFullOnFollower(t *testing.T) {
	c := newCluster(t, 3, nil)
	l, f := c.leader(), c.follower()
	f.fs.SetSpace(f.fs.Used())
	for i := range 100 {
		l.mustPut(fmt.Sprintf("k%03d", i), strings.Repeat("v", 3000))
	}
	if len(f.r.Log.waiting) == 0 {
		t.Fatal("the follower's disk never filled up")
	}
	if l != c.leader() {
		t.Error("the leader changed")
	}
	f.fs.SetSpace(-1)
	c.tick(30)
	if len(f.r.Log.waiting) != 0 {
		t.Error("the follower still waits")
	}
	f.mustPut("b", "2")
	c.checkEqual()
}

// The reserve can be used up by what was under way: then a write waits for
// space, is acknowledged only once it is durable, and nobody is told otherwise.
func TestDiskFullWriteWaits(t *testing.T) {
	c := newCluster(t, 1, nil)
	m := c.leader()
	m.fs.SetSpace(m.fs.Used())
	reply := m.start1(write(&mvcc.PutRequest{Key: []byte("big"), Value: make([]byte, 200<<10)}))
	c.tick(20)
	if *reply != nil {
		t.Fatalf("answered: %+v", **reply)
	}
	m.fs.SetSpace(-1)
	c.tick(30)
	if *reply == nil || (*reply).Err != nil {
		t.Fatalf("reply %v after there was space again", *reply)
	}
	m.crash()
	m.start()
	c.leader()
	if got := m.get("big"); len(got) != 200<<10 {
		t.Errorf("%d bytes", len(got))
	}
}

// A snapshot that finds no room is given up and tried again later.
func TestSnapshotWithoutSpace(t *testing.T) {
	c := newCluster(t, 1, func(cfg *Config) { cfg.SnapshotLogBytesMin, cfg.CatchUpEntries = 32<<10, 10 })
	m := c.leader()
	m.fs.SetInjector(disk.FailOn(disk.OpWrite, "/snap/", 1, disk.Times, disk.ErrNoSpace))
	for i := range 50 {
		m.mustPut(fmt.Sprintf("k%03d", i), strings.Repeat("v", 1000))
	}
	if at := m.r.Core.snaps.newest.Last.Index; at != 0 {
		t.Fatalf("a snapshot at %d", at)
	}
	if m.r.Core.snaps.notBefore == 0 {
		t.Fatal("no snapshot was tried")
	}
	m.fs.SetInjector(nil)
	c.tick(60)
	m.mustPut("a", "1")
	if m.r.Core.snaps.newest.Last.Index == 0 {
		t.Error("no snapshot when there was room again")
	}
}

package e2e

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	bolt "go.etcd.io/bbolt"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/mvccpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/holdfast-db/holdfast/internal/proc"
)

// divergent lays out three members that were made from a snapshot, the third of them from one in which a value is
// another: what a failed memory or a bug would leave. None is started.
func divergent(t *testing.T, args ...string) *proc.Cluster {
	t.Helper()
	source := startCluster(t, 1)
	c := connect(t, source.Endpoints()...)
	for i := range 10 {
		must(c.Put(timeout(t, 20*time.Second), fmt.Sprintf("k%d", i), "right"))(t)
	}
	file := save(t, source.Endpoints()[0])
	good, bad := trimmed(t, file), trimmed(t, file)
	falsify(t, bad, "k7")
	return laidOut(t, serverBinary, 3, func(m *proc.Member, flags []string) {
		from := good
		if m.Name == "n3" {
			from = bad
		}
		tool(t, serverBinary, append([]string{"import", from, "--skip-hash-check"}, flags...)...)
	}, args...)
}

// falsify changes the value of a key in a database of etcd's form.
func falsify(t *testing.T, file, key string) {
	t.Helper()
	db := must(bolt.Open(file, 0o600, nil))(t)
	defer db.Close()
	changed := false
	err := db.Update(func(tx *bolt.Tx) error {
		records := tx.Bucket([]byte("key"))
		return records.ForEach(func(rev, record []byte) error {
			var kv mvccpb.KeyValue
			if err := proto.Unmarshal(record, &kv); err != nil || string(kv.Key) != key {
				return err
			}
			kv.Value = []byte("wrong")
			changed = true
			return records.Put(bytes.Clone(rev), must(proto.Marshal(&kv))(t))
		})
	})
	if err != nil || !changed {
		t.Fatalf("changed: %t, %v", changed, err)
	}
}

// startFirstTwo starts those that agree, one of which thus leads, then the third.
func startFirstTwo(t *testing.T, c *proc.Cluster, third ...string) {
	t.Helper()
	for _, m := range c.Members[:2] {
		if err := m.Start(); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.WaitReady(timeout(t, 30*time.Second)); err != nil {
		t.Fatal(err)
	}
	if err := c.Members[2].Start(third...); err != nil {
		t.Fatal(err)
	}
}

// awaitAlarm waits until a member shows CORRUPT, and returns for whom it is raised.
func awaitAlarm(t *testing.T, m *proc.Member) []uint64 {
	t.Helper()
	c := connect(t, m.ClientURL)
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		list, err := c.AlarmList(timeout(t, 5*time.Second))
		if err != nil || len(list.Alarms) == 0 {
			continue
		}
		var members []uint64
		for _, a := range list.Alarms {
			if a.Alarm != pb.AlarmType_CORRUPT {
				t.Errorf("alarm %v", a)
			}
			members = append(members, a.MemberID)
		}
		return members
	}
	t.Fatalf("%s: no alarm", m.Name)
	return nil
}

func memberID(t *testing.T, m *proc.Member) uint64 {
	t.Helper()
	return must(connect(t, m.ClientURL).Status(timeout(t, 10*time.Second), m.ClientURL))(t).Header.MemberId
}

// onlyReads: under CORRUPT every write is refused as data loss, while reads go on everywhere.
func onlyReads(t *testing.T, c *proc.Cluster) {
	t.Helper()
	for _, m := range c.Members {
		cli := connect(t, m.ClientURL)
		ctx := timeout(t, 20*time.Second)
		for name, write := range map[string]func() error{
			"put":    func() error { _, err := cli.Put(ctx, "k", "v"); return err },
			"delete": func() error { _, err := cli.Delete(ctx, "k"); return err },
			"txn":    func() error { _, err := cli.Txn(ctx).Then(clientv3.OpPut("k", "v")).Commit(); return err },
			"grant":  func() error { _, err := cli.Grant(ctx, 10); return err },
			"compact": func() error {
				_, err := pb.NewKVClient(cli.ActiveConnection()).Compact(ctx, &pb.CompactionRequest{Revision: 8})
				if status.Code(err) != codes.DataLoss {
					t.Errorf("%s: compact: %v", m.Name, err)
				}
				return clientv3.ContextError(ctx, err)
			},
		} {
			if err := write(); err == nil || err.Error() != rpctypes.ErrCorrupt.Error() {
				t.Errorf("%s: %s under the alarm: %v", m.Name, name, err)
			}
		}
		for _, options := range [][]clientv3.OpOption{nil, {clientv3.WithSerializable()}} {
			if got := must(cli.Get(ctx, "k1", options...))(t); len(got.Kvs) != 1 || string(got.Kvs[0].Value) != "right" {
				t.Errorf("%s: k1 is %v", m.Name, got)
			}
		}
		for path, want := range map[string]string{
			"/health":         `{"health":"false","reason":"ALARM CORRUPT"}`,
			"/readyz?verbose": "[-]data_corruption failed: alarm activated: CORRUPT",
		} {
			r := must(http.Get(m.ClientURL + path))(t)
			body := must(io.ReadAll(r.Body))(t)
			r.Body.Close()
			if r.StatusCode != http.StatusServiceUnavailable || !strings.Contains(string(body), want) {
				t.Errorf("%s%s: %d %s", m.Name, path, r.StatusCode, body)
			}
		}
	}
}

// The leader compares all members' data; the one that differs is named, writes stop, and once it was replaced and the
// alarm disarmed they go on.
func TestPeriodicCheckFindsCorruption(t *testing.T) {
	t.Parallel()
	c := divergent(t, "--corrupt-check-time=500ms")
	startFirstTwo(t, c)
	if err := c.WaitReady(timeout(t, 30*time.Second)); err != nil {
		t.Fatal(err)
	}
	bad := c.Members[2]
	for _, m := range c.Members {
		if got, want := awaitAlarm(t, m), []uint64{memberID(t, bad)}; !slices.Equal(got, want) {
			t.Errorf("%s: alarms for %x, want %x", m.Name, got, want)
		}
	}
	onlyReads(t, c)
	replace(t, c, bad)
	cli := connect(t, c.Members[0].ClientURL)
	must(cli.AlarmDisarm(timeout(t, 20*time.Second), &clientv3.AlarmMember{}))(t)
	must(cli.Put(timeout(t, 20*time.Second), "k", "v"))(t)
	time.Sleep(1500 * time.Millisecond) // three checks
	if list := must(cli.AlarmList(timeout(t, 20*time.Second)))(t); len(list.Alarms) > 0 {
		t.Errorf("after the repair: %v", list)
	}
	if got := must(connect(t, bad.ClientURL).Get(timeout(t, 20*time.Second), "k7"))(t); string(got.Kvs[0].Value) != "right" {
		t.Errorf("after the repair k7 is %q", got.Kvs[0].Value)
	}
}

// replace removes a member, and adds one at the same address that starts without data.
func replace(t *testing.T, c *proc.Cluster, m *proc.Member) {
	t.Helper()
	cli := connect(t, c.Members[0].ClientURL)
	id := memberID(t, m)
	if err := m.Kill(); err != nil {
		t.Fatal(err)
	}
	must(cli.MemberRemove(timeout(t, 20*time.Second), id))(t)
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(200 * time.Millisecond) { // the others must be known as healthy
		_, err := cli.MemberAdd(timeout(t, 10*time.Second), []string{m.PeerURL})
		if err == nil {
			break
		}
		if time.Now().After(end) {
			t.Fatal(err)
		}
	}
	if err := m.Wipe(); err != nil {
		t.Fatal(err)
	}
	if err := m.Restart(timeout(t, 30*time.Second), "--initial-cluster-state=existing"); err != nil {
		t.Fatal(err)
	}
}

// A member that has other data than the others doesn't start, if it is to look.
func TestInitialCheckRefusesCorruptMember(t *testing.T) {
	t.Parallel()
	c := divergent(t, "--feature-gates=InitialCorruptCheck=true")
	startFirstTwo(t, c)
	bad := c.Members[2]
	select {
	case <-bad.Exited():
	case <-time.After(30 * time.Second):
		t.Fatal("it goes on")
	}
	log := string(must(bad.Log())(t))
	for _, words := range []string{"starting initial corruption check", "found different hash values from remote peer", "found data inconsistency with peers"} {
		if !strings.Contains(log, words) {
			t.Errorf("no %q in\n%s", words, log)
		}
	}
	if strings.Contains(log, "ready to serve client requests") || bad.ExitCode() != 65 {
		t.Errorf("exit code %d, log\n%s", bad.ExitCode(), log)
	}
	must(connect(t, c.Members[0].ClientURL).Put(timeout(t, 20*time.Second), "k", "v"))(t)
	if log := string(must(c.Members[0].Log())(t)); !strings.Contains(log, "initial corruption checking passed") {
		t.Errorf("n1:\n%s", log)
	}
}

// The hashes of a compaction tell the minority from the majority.
func TestCompactHashCheckFindsCorruption(t *testing.T) {
	t.Parallel()
	c := divergent(t, "--feature-gates=CompactHashCheck=true", "--compact-hash-check-time=500ms")
	startFirstTwo(t, c)
	if err := c.WaitReady(timeout(t, 30*time.Second)); err != nil {
		t.Fatal(err)
	}
	must(connect(t, c.Members[1].ClientURL).Compact(timeout(t, 20*time.Second), 9))(t)
	if got, want := awaitAlarm(t, c.Members[0]), []uint64{memberID(t, c.Members[2])}; !slices.Equal(got, want) {
		t.Errorf("alarms for %x, want %x", got, want)
	}
	onlyReads(t, c)
}

// A compaction that a kill interrupts is finished after the restart, and its hash is what the others have.
func TestCompactHashCheckAfterRestart(t *testing.T) {
	t.Parallel()
	c := startCluster(t, 3, "--feature-gates=CompactHashCheck=true", "--compact-hash-check-time=500ms")
	cli := connect(t, c.Endpoints()...)
	var value [8]byte
	for i := range 500 {
		binary.BigEndian.PutUint64(value[:], uint64(i))
		must(cli.Put(timeout(t, 20*time.Second), fmt.Sprintf("k%d", i%50), string(value[:])))(t)
	}
	must(cli.Compact(timeout(t, 20*time.Second), 400))(t)
	leader := (&operator{T: t, cluster: c}).leader()
	for _, m := range c.Members {
		if m == leader {
			continue
		}
		if err := m.Kill(); err != nil {
			t.Fatal(err)
		}
		if err := m.Restart(timeout(t, 30*time.Second)); err != nil {
			t.Fatal(err)
		}
		awaitLog(t, m, "finished scheduled compaction")
	}
	awaitLog(t, leader, "successfully checked hash on whole cluster")
	if list := must(cli.AlarmList(timeout(t, 20*time.Second)))(t); len(list.Alarms) > 0 {
		t.Errorf("%v", list)
	}
}

func awaitLog(t *testing.T, m *proc.Member, words string) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		b, err := os.ReadFile(m.LogPath)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(b, []byte(words)) {
			return
		}
	}
	t.Fatalf("%s: no %q in the log", m.Name, words)
}

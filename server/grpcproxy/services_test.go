package grpcproxy

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/mvccpb"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/client/v3/concurrency"
	"google.golang.org/grpc/codes"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/holdfast-db/holdfast/internal/servertest"
	"github.com/holdfast-db/holdfast/server/api/v3electionpb"
	"github.com/holdfast-db/holdfast/server/api/v3lockpb"
)

// TestForwarded: maintenance, members and health work as if no proxy were there.
func TestForwarded(t *testing.T) {
	_, through, direct := behind(t)
	ctx := soon(t)
	must(through.Put(ctx, "a", "1"))(t)
	want := must(direct.Status(ctx, direct.Endpoints()[0]))(t)
	if got := must(through.Status(ctx, through.Endpoints()[0]))(t); got.Version != want.Version || got.Leader != want.Leader || got.DbSize == 0 {
		t.Errorf("%v, want %v", got, want)
	}
	if got := must(through.MemberList(ctx))(t); len(got.Members) != 1 || got.Members[0].ID != want.Header.MemberId {
		t.Errorf("%v", got.Members)
	}
	added := must(through.MemberAddAsLearner(ctx, []string{"http://127.0.0.1:1"}))(t).Member.ID
	if _, err := through.MemberPromote(ctx, added); err == nil || !strings.Contains(err.Error(), "learner") {
		t.Errorf("promote: %v", err)
	}
	must(through.MemberRemove(ctx, added))(t)
	if n := len(must(direct.MemberList(ctx))(t).Members); n != 1 {
		t.Errorf("%d members", n)
	}
	snapshot := must(through.SnapshotWithVersion(ctx))(t)
	content := must(io.ReadAll(snapshot.Snapshot))(t)
	if len(content)%512 != 32 || snapshot.Version == "" {
		t.Errorf("a snapshot of %d bytes, version %q", len(content), snapshot.Version)
	}
	if r := must(healthpb.NewHealthClient(through.ActiveConnection()).Check(ctx, &healthpb.HealthCheckRequest{}))(t); r.Status != healthpb.HealthCheckResponse_SERVING {
		t.Errorf("%v", r)
	}
	for _, method := range []string{"/etcdserverpb.Auth/NoSuchMethod", "/other.Service/Method"} {
		if err := through.ActiveConnection().Invoke(ctx, method, &emptypb.Empty{}, &emptypb.Empty{}); status.Code(err) != codes.Unimplemented {
			t.Errorf("%s: %v", method, err)
		}
	}
}

// TestMemberList: an advertised proxy is what clients see of the cluster.
func TestMemberList(t *testing.T) {
	_, through, _ := behind(t, func(c *Config) { c.AdvertiseURL = "proxy.example.com:23790" })
	got := must(through.MemberList(soon(t)))(t)
	name := must(os.Hostname())(t)
	if len(got.Members) != 1 || got.Members[0].Name != name || !slices.Equal(got.Members[0].ClientURLs, []string{"proxy.example.com:23790"}) {
		t.Errorf("%v", got.Members)
	}
}

// TestResolver: proxies of one prefix hear of each other, and of an end.
func TestResolver(t *testing.T) {
	member, _ := servertest.Start(t)
	start := func(name string) (*Proxy, *clientv3.Client) {
		p := startProxy(t, member, func(c *Config) {
			c.AdvertiseURL, c.ResolverPrefix, c.ResolverTTL, c.Namespace = name, "proxies", 5, "a/"
		})
		return p, connect(t, p.Addr())
	}
	list := func(c *clientv3.Client) (names []string) {
		for _, m := range must(c.MemberList(soon(t)))(t).Members {
			names = append(names, m.ClientURLs...)
		}
		return names
	}
	_, one := start("one:1")
	second, two := start("two:2")
	for _, c := range []*clientv3.Client{one, two} {
		until(t, "both are listed", func() bool { return slices.Equal(list(c), []string{"one:1", "two:2"}) })
	}
	key := must(connect(t, member).Get(soon(t), "a/proxies/one:1"))(t)
	if len(key.Kvs) != 1 || !strings.Contains(string(key.Kvs[0].Value), `"Addr":"one:1"`) {
		t.Errorf("%v", key.Kvs)
	}
	second.Stop()
	until(t, "the one that stopped is gone", func() bool { return slices.Equal(list(one), []string{"one:1"}) })
}

// TestLocksAndElectionsInASpace: keys that they give are good for the client's transactions.
func TestLocksAndElectionsInASpace(t *testing.T) {
	_, through, direct := behind(t, func(c *Config) { c.Namespace = "a/" })
	ctx := soon(t)
	lease := must(through.Grant(ctx, 60))(t).ID
	locks := v3lockpb.NewLockClient(through.ActiveConnection())
	lock := must(locks.Lock(ctx, &v3lockpb.LockRequest{Name: []byte("l"), Lease: int64(lease)}))(t)
	if want := fmt.Sprintf("l/%x", lease); string(lock.Key) != want || len(must(direct.Get(ctx, "a/"+want))(t).Kvs) != 1 {
		t.Errorf("%q", lock.Key)
	}
	txn := must(through.Txn(ctx).If(clientv3.Compare(clientv3.CreateRevision(string(lock.Key)), ">", 0)).Then(clientv3.OpPut("fenced", "")).Commit())(t)
	if !txn.Succeeded {
		t.Error("the lock's key isn't there for its owner")
	}
	must(through.Get(ctx, string(lock.Key)))(t)
	must(locks.Unlock(ctx, &v3lockpb.UnlockRequest{Key: lock.Key}))(t)
	if left := must(through.Get(ctx, string(lock.Key), clientv3.WithSerializable()))(t); len(left.Kvs) != 0 {
		t.Error("the lock is still there")
	}
	elections := v3electionpb.NewElectionClient(through.ActiveConnection())
	leader := must(elections.Campaign(ctx, &v3electionpb.CampaignRequest{Name: []byte("e"), Lease: int64(lease), Value: []byte("me")}))(t).Leader
	observed := must(elections.Observe(ctx, &v3electionpb.LeaderRequest{Name: []byte("e")}))(t)
	check := func(kv *mvccpb.KeyValue, value string) {
		t.Helper()
		if !bytes.Equal(kv.Key, leader.Key) || string(kv.Value) != value || !strings.HasPrefix(string(kv.Key), "e/") {
			t.Errorf("%v", kv)
		}
	}
	check(must(observed.Recv())(t).Kv, "me")
	must(elections.Proclaim(ctx, &v3electionpb.ProclaimRequest{Leader: leader, Value: []byte("still me")}))(t)
	check(must(observed.Recv())(t).Kv, "still me")
	check(must(elections.Leader(ctx, &v3electionpb.LeaderRequest{Name: []byte("e")}))(t).Kv, "still me")
	must(elections.Resign(ctx, &v3electionpb.ResignRequest{Leader: leader}))(t)
	if _, err := elections.Resign(ctx, &v3electionpb.ResignRequest{}); err == nil {
		t.Error("resigned from nothing")
	}
}

// TestNoKeyInASpace: a lock or a leader without a key is refused, and isn't the key that is called as the space.
func TestNoKeyInASpace(t *testing.T) {
	_, through, direct := behind(t, func(c *Config) { c.Namespace = "a/" })
	ctx := soon(t)
	revision := must(direct.Put(ctx, "a/", "of others"))(t).Header.Revision
	conn, nobody := through.ActiveConnection(), &v3electionpb.LeaderKey{Name: []byte("n"), Rev: revision}
	if _, err := v3lockpb.NewLockClient(conn).Unlock(ctx, &v3lockpb.UnlockRequest{}); err == nil {
		t.Error("unlocked nothing")
	}
	if _, err := v3electionpb.NewElectionClient(conn).Proclaim(ctx, &v3electionpb.ProclaimRequest{Leader: nobody}); err == nil {
		t.Error("proclaimed nothing")
	}
	if _, err := v3electionpb.NewElectionClient(conn).Resign(ctx, &v3electionpb.ResignRequest{Leader: nobody}); err == nil {
		t.Error("resigned from nothing")
	}
	if r := must(direct.Get(ctx, "a/"))(t); len(r.Kvs) != 1 || string(r.Kvs[0].Value) != "of others" {
		t.Error(r.Kvs)
	}
}

// TestConcurrency: the client library's sessions, mutexes and transactions, through a proxy with everything on.
func TestConcurrency(t *testing.T) {
	_, through, _ := behind(t, func(c *Config) { c.Namespace, c.Ordering, c.LeasingPrefix = "a/", true, "leasing/" })
	ctx := soon(t)
	session := must(concurrency.NewSession(through, concurrency.WithTTL(10)))(t)
	defer session.Close()
	const workers = 4
	done := make(chan error, workers)
	for range workers {
		go func() {
			for range 5 {
				_, err := concurrency.NewSTM(through, func(s concurrency.STM) error {
					s.Put("n", s.Get("n")+"x")
					return nil
				}, concurrency.WithAbortContext(ctx))
				if err != nil {
					done <- err
					return
				}
			}
			done <- nil
		}()
	}
	for range workers {
		if err := <-done; err != nil {
			t.Fatal(err)
		}
	}
	if r := must(through.Get(ctx, "n"))(t); len(r.Kvs[0].Value) != 5*workers {
		t.Errorf("%d of %d", len(r.Kvs[0].Value), 5*workers)
	}
	m := concurrency.NewMutex(session, "lock")
	if err := m.Lock(ctx); err != nil {
		t.Fatal(err)
	}
	if err := m.TryLock(ctx); err != nil { // the same session's
		t.Error(err)
	}
	if err := m.Unlock(ctx); err != nil {
		t.Error(err)
	}
}

// TestLeasing: two proxies that lease keys never show an old value to a linearizable read.
func TestLeasing(t *testing.T) {
	member, _ := servertest.Start(t)
	lease := func(c *Config) { c.LeasingPrefix = "leasing/" }
	one, two := connect(t, startProxy(t, member, lease).Addr()), connect(t, startProxy(t, member, lease).Addr())
	ctx := soon(t)
	for i := range 10 {
		value := fmt.Sprint(i)
		must(one.Put(ctx, "k", value))(t)
		for _, c := range []*clientv3.Client{one, two, one} {
			if r := must(c.Get(ctx, "k"))(t); string(r.Kvs[0].Value) != value {
				t.Fatalf("%s, want %s", r.Kvs[0].Value, value)
			}
		}
		one, two = two, one
	}
	must(one.Put(ctx, "calm", "1"))(t)
	must(one.Get(ctx, "calm"))(t) // it has the key from here on
	asked := func() float64 {
		return scrape(t, "http://"+member+"/metrics", `grpc_server_started_total\{grpc_method="Range",grpc_service="etcdserverpb.KV",grpc_type="unary"\}`)
	}
	before := asked()
	for range 20 {
		must(one.Get(ctx, "calm"))(t)
	}
	if n := asked() - before; n != 0 {
		t.Errorf("the member was asked %v times for 20 reads of a key that the proxy owns", n)
	}
	must(two.Put(ctx, "calm", "2"))(t)
	if r := must(one.Get(ctx, "calm"))(t); string(r.Kvs[0].Value) != "2" {
		t.Errorf("%s after another proxy's put", r.Kvs[0].Value)
	}
}

// late answers serializable ranges as of an old revision, some times.
type late struct {
	keys
	times int
}

func (l *late) Range(ctx context.Context, r *pb.RangeRequest) (*pb.RangeResponse, error) {
	revision := int64(9)
	if r.Serializable && l.times > 0 {
		l.times--
		revision = 5
	}
	return &pb.RangeResponse{Header: &pb.ResponseHeader{Revision: revision}}, nil
}

// TestOrdering: an answer from before what was seen isn't passed on, however many members are behind.
func TestOrdering(t *testing.T) {
	for _, times := range []int{0, 1, 5, 100} {
		tide := &tide{}
		tide.seen(&pb.ResponseHeader{Revision: 8})
		o := &ordered{&late{times: times}, tide, func() int { return 3 }}
		r := must(o.Range(t.Context(), &pb.RangeRequest{Key: []byte("a"), Serializable: true}))(t)
		if r.Header.Revision < 8 {
			t.Errorf("%d late answers: revision %d", times, r.Header.Revision)
		}
	}
}

// TestOrderingFromMemory: what is in memory is from a time, too.
func TestOrderingFromMemory(t *testing.T) {
	p, through, _ := behind(t, func(c *Config) { c.Ordering = true })
	ctx := soon(t)
	read := func() int64 {
		return must(through.Get(ctx, "a", clientv3.WithSerializable()))(t).Header.Revision
	}
	read()
	if read(); value(t, p.meter.hits) != 1 {
		t.Error("nothing was read from memory")
	}
	written := must(through.Put(ctx, "b", ""))(t).Header.Revision
	if got := read(); got < written {
		t.Errorf("revision %d after %d", got, written)
	}
}

// TestWeb: health and metrics, of the members and of the proxy.
func TestWeb(t *testing.T) {
	p, _, _ := behind(t, func(c *Config) { c.MetricsAddr, c.EnablePprof = "http://127.0.0.1:0", true })
	get := func(path string) (int, string) {
		t.Helper()
		defer http.DefaultClient.CloseIdleConnections()
		resp := must(http.Get("http://" + p.Addr() + path))(t)
		defer resp.Body.Close()
		return resp.StatusCode, string(must(io.ReadAll(resp.Body))(t))
	}
	for path, want := range map[string]string{
		"/health": `{"health":"true","reason":""}`, "/proxy/health": `{"health":"true","reason":""}`,
		"/metrics": "etcd_server_has_leader 1", "/proxy/metrics": "etcd_grpc_proxy_cache_keys_total", "/debug/pprof/cmdline": "grpcproxy",
	} {
		if code, body := get(path); code != http.StatusOK || !strings.Contains(body, want) {
			t.Errorf("%s: %d without %q", path, code, want)
		}
	}
	if code, _ := get("/other"); code != http.StatusNotFound {
		t.Errorf("/other: %d", code)
	}
}

package e2e

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/holdfast-db/holdfast/internal/pki"
	"github.com/holdfast-db/holdfast/internal/proc"
	lin "github.com/holdfast-db/holdfast/linearizability"
)

// office issues certificates for a cluster, from one authority after the other.
type office struct {
	t      *testing.T
	dir    string
	trust  *x509.CertPool // all authorities there ever were, for clients
	bundle []byte         // those that members trust now, PEM
}

func newOffice(t *testing.T) *office {
	return &office{t: t, dir: t.TempDir(), trust: x509.NewCertPool()}
}

func (o *office) path(name string) string { return filepath.Join(o.dir, name) }

func (o *office) try(err error) {
	o.t.Helper()
	if err != nil {
		o.t.Fatal(err)
	}
}

// found makes an authority and lets members trust it besides the others.
func (o *office) found() *pki.Authority {
	o.t.Helper()
	ca, err := pki.NewAuthority("CA", time.Now(), time.Hour)
	o.try(err)
	pair, err := ca.Pair()
	o.try(err)
	o.trust.AddCert(ca.Cert)
	o.trustOnly(append(o.bundle, pair.Cert...))
	return ca
}

// trustOnly replaces what members trust.
func (o *office) trustOnly(bundle []byte) {
	o.t.Helper()
	o.bundle = bundle
	o.try(pki.Replace(o.path("ca.crt"), bundle, 0o644))
}

// issue replaces a pair of files.
func (o *office) issue(ca *pki.Authority, name string) {
	o.t.Helper()
	pair, err := ca.Issue(pki.Request{CommonName: name, Hosts: []string{"127.0.0.1", "localhost"}, Server: true, Client: true, Valid: time.Hour}, time.Now())
	o.try(err)
	o.try(pair.Write(o.path(name+".crt"), o.path(name+".key")))
}

// flags are those of a member whose addresses are plain in proc's layout.
func (o *office) flags(c *proc.Cluster, m *proc.Member) []string {
	secure := func(u string) string { return strings.Replace(u, "http://", "https://", 1) }
	var initial []string
	for _, other := range c.Members {
		initial = append(initial, other.Name+"="+secure(other.PeerURL))
	}
	return []string{
		"--listen-client-urls", secure(m.ClientURL), "--advertise-client-urls", secure(m.ClientURL),
		"--listen-peer-urls", secure(m.PeerURL), "--initial-advertise-peer-urls", secure(m.PeerURL),
		"--initial-cluster", strings.Join(initial, ","),
		"--cert-file", o.path("member.crt"), "--key-file", o.path("member.key"), "--client-cert-auth", "--trusted-ca-file", o.path("ca.crt"),
		"--peer-cert-file", o.path("member.crt"), "--peer-key-file", o.path("member.key"), "--peer-client-cert-auth", "--peer-trusted-ca-file", o.path("ca.crt"),
	}
}

// client shows what the files hold when it connects.
func (o *office) client() *tls.Config {
	return &tls.Config{RootCAs: o.trust, GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
		pair, err := tls.LoadX509KeyPair(o.path("client.crt"), o.path("client.key"))
		return &pair, err
	}}
}

func dialSecure(t *testing.T, config *tls.Config, endpoints []string) *clientv3.Client {
	t.Helper()
	c, err := clientv3.New(clientv3.Config{Endpoints: endpoints, DialTimeout: 5 * time.Second, TLS: config})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// witness is a client that puts and gets, and remembers what it was told.
type witness struct {
	id     int
	client *clientv3.Client
	now    func() int64
	out    []lin.Operation
}

func (w *witness) run(ctx context.Context) {
	for n := 0; ctx.Err() == nil; n++ {
		key := fmt.Sprintf("k%d", (n+w.id)%5)
		op := lin.Operation{Client: w.id, Call: w.now()}
		limit, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		if n%2 == 0 {
			op.Request = lin.Request{Kind: lin.Put, Key: key, Value: fmt.Sprintf("w%d.%d", w.id, n)}
			reply, err := w.client.Put(limit, key, op.Request.Value)
			if op.Response = outcome(err); err == nil {
				op.Response.Revision = reply.Header.Revision
			}
		} else {
			op.Request = lin.Request{Kind: lin.Range, Key: key}
			reply, err := w.client.Get(limit, key)
			if op.Response = outcome(err); err == nil {
				op.Response.Revision, op.Response.Count = reply.Header.Revision, reply.Count
				for _, kv := range reply.Kvs {
					op.Response.KVs = append(op.Response.KVs, lin.KeyValue{
						Key: string(kv.Key), Value: string(kv.Value), Create: kv.CreateRevision, Mod: kv.ModRevision, Version: kv.Version,
					})
				}
			}
		}
		cancel()
		op.Return = w.now()
		if op.Response.Outcome == lin.Ambiguous {
			op.Return = lin.Never
			if op.Request.Kind == lin.Range {
				continue // claims nothing
			}
		}
		w.out = append(w.out, op)
		time.Sleep(2 * time.Millisecond)
	}
}

func outcome(err error) lin.Response {
	if err != nil {
		return lin.Response{Outcome: lin.Ambiguous, Error: err.Error()}
	}
	return lin.Response{Outcome: lin.OK}
}

// everything is all changes since the cluster began: what ambiguous puts did.
func everything(t *testing.T, c *clientv3.Client) (log []lin.Change) {
	ctx := timeout(t, 10*time.Second)
	now := must(c.Get(ctx, "k", clientv3.WithPrefix()))(t)
	for response := range c.Watch(ctx, "", clientv3.WithPrefix(), clientv3.WithRev(2)) {
		if err := response.Err(); err != nil {
			t.Fatal(err)
		}
		for _, ev := range response.Events {
			kv := ev.Kv
			log = append(log, lin.Change{KV: lin.KeyValue{
				Key: string(kv.Key), Value: string(kv.Value), Create: kv.CreateRevision, Mod: kv.ModRevision, Version: kv.Version,
			}})
			if kv.ModRevision == now.Header.Revision {
				return log
			}
		}
	}
	t.Fatalf("the watch ended after %d changes", len(log))
	return nil
}

// TestCertificatesRollUnderLoad: all members restart, then certificates and the
// authority itself are replaced, while clients go on; what they saw is
// linearizable, and the old authority opens no door in the end.
func TestCertificatesRollUnderLoad(t *testing.T) {
	t.Parallel()
	if os.Getenv(proc.BinaryVariable) != "" {
		t.Skip("etcd reads its authorities once, at the start")
	}
	o := newOffice(t)
	first := o.found()
	o.issue(first, "member")
	o.issue(first, "client")
	c := must(proc.New(proc.Options{Binary: serverBinary, Members: 3, Dir: t.TempDir()}))(t)
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(c.LogTails(12))
		}
		o.try(c.KillAll())
	})
	for _, m := range c.Members {
		o.try(m.Start(o.flags(c, m)...))
	}
	o.try(c.WaitReady(timeout(t, 30*time.Second)))
	var endpoints []string
	for _, url := range c.Endpoints() {
		endpoints = append(endpoints, strings.Replace(url, "http://", "https://", 1))
	}

	began := time.Now()
	load, stop := context.WithCancel(context.Background())
	defer stop()
	var work sync.WaitGroup
	witnesses := make([]*witness, 6)
	for i := range witnesses {
		witnesses[i] = &witness{id: i, client: dialSecure(t, o.client(), endpoints), now: func() int64 { return int64(time.Since(began)) }}
		work.Go(func() { witnesses[i].run(load) })
	}
	restartAll := func() {
		for _, m := range c.Members {
			if err := m.Stop(10 * time.Second); err != nil && !errors.Is(err, proc.ErrNotRunning) {
				t.Log(err) // its exit code
			}
			o.try(m.Start(o.flags(c, m)...))
			o.try(m.WaitReady(timeout(t, 30*time.Second)))
		}
	}
	restartAll()

	old := o.client()
	oldPair := must(tls.LoadX509KeyPair(o.path("client.crt"), o.path("client.key")))(t)
	old.GetClientCertificate, old.Certificates = nil, []tls.Certificate{oldPair}
	second := o.found() // trusted from now on, besides the first
	o.issue(second, "member")
	o.issue(second, "client")
	fresh := dialSecure(t, o.client(), endpoints)
	if _, err := fresh.Get(timeout(t, 10*time.Second), "k0"); err != nil {
		t.Errorf("with the second authority's certificate, before any restart: %v", err)
	}
	if _, err := dialSecure(t, old, endpoints).Get(timeout(t, 10*time.Second), "k0"); err != nil {
		t.Errorf("with the first one's, while both are trusted: %v", err)
	}
	restartAll() // peers dial anew, with what they have now
	pair := must(second.Pair())(t)
	o.trustOnly(pair.Cert)
	if _, err := dialSecure(t, old, endpoints).Get(timeout(t, time.Second), "k0"); err == nil {
		t.Error("the first authority's certificate was accepted after it was dropped")
	}
	restartAll()
	stop()
	work.Wait()

	h := &lin.History{BaseRevision: 1, Log: everything(t, fresh)}
	acknowledged := 0
	for _, w := range witnesses {
		for _, op := range w.out {
			if op.Response.Outcome == lin.OK {
				acknowledged++
			}
			h.Operations = append(h.Operations, op)
		}
	}
	for _, v := range lin.Check(h, lin.Options{PerKeyTimeout: time.Minute, Windows: -1}).Verdicts {
		if v.Failed() {
			t.Error(v)
		}
	}
	t.Logf("%d operations, %d acknowledged, in %v", len(h.Operations), acknowledged, time.Since(began).Round(time.Millisecond))
	if acknowledged < 200 {
		t.Errorf("only %d operations were acknowledged", acknowledged)
	}
}

package server

import (
	"fmt"
	"io"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	clientv3 "go.etcd.io/etcd/client/v3"
	"golang.org/x/net/http2"
)

// TestHugeRangesAreBounded: forty clients ask for everything at once, some 32 MiB
// each, and take nothing of it: 1.3 GB if all were answered. What the member holds
// for them stays within its bound, small requests don't notice, and when they are
// gone all of it is given back.
func TestHugeRangesAreBounded(t *testing.T) {
	const bound = 64 * mib
	c := newCluster(t, 1, func(cfg *Config) { cfg.ResponseMemoryBytes = bound })
	fillWith(t, c, 32, mib)
	b := c.members[0].backend
	before := memory()
	greedy := make([]*rude, 40)
	everything := message(&pb.RangeRequest{Key: []byte{0}, RangeEnd: []byte{0}})
	for i := range greedy {
		greedy[i] = newRude(t, c, http2.Setting{ID: http2.SettingInitialWindowSize, Val: 0})
		stream, err := greedy[i].open("/etcdserverpb.KV/Range")
		if err == nil {
			err = greedy[i].framer.WriteData(stream, true, everything)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	most, mostHeap := int64(0), uint64(0)
	for end := time.Now().Add(2 * time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		most, mostHeap = max(most, b.responses.Held()), max(mostHeap, memory())
		if got, err := c.client().Get(within(t, 5*time.Second), "k0001", clientv3.WithKeysOnly()); err != nil || len(got.Kvs) != 1 {
			t.Fatalf("a small request: %v, %v", got, err)
		}
	}
	if most < bound/4 || most > bound {
		t.Errorf("%d bytes were held, the bound is %d", most, bound)
	}
	if grown := int64(mostHeap) - int64(before); grown > 4*bound { // the collector has room of its own
		t.Errorf("the heap grew by %d MiB", grown>>20)
	}
	t.Logf("held %d MiB at most, heap %d MiB before, %d MiB at most", most>>20, before>>20, mostHeap>>20)
	for _, r := range greedy {
		r.conn.Close()
	}
	nothingHeld(t, b)
	got, err := c.client().Get(within(t, 10*time.Second), "", clientv3.WithPrefix())
	if err != nil || len(got.Kvs) != 32 {
		t.Errorf("afterwards: %d keys, %v", len(got.Kvs), err)
	}
	nothingHeld(t, b)
}

// TestReadersShareTheBound: who reads gets everything in the end, through every
// door, though together they want many times the bound.
func TestReadersShareTheBound(t *testing.T) {
	c := newCluster(t, 1, func(cfg *Config) { cfg.ResponseMemoryBytes = responseMemoryMin })
	fillWith(t, c, 12, 256<<10)
	cli := c.client()
	failed := make(chan error, 30)
	read := func(f func() (int, error)) {
		n, err := f()
		if err == nil && n != 12 {
			err = fmt.Errorf("%d keys", n)
		}
		failed <- err
	}
	for range 8 {
		go read(func() (int, error) {
			got, err := cli.Get(within(t, 30*time.Second), "", clientv3.WithPrefix())
			if err != nil {
				return 0, err
			}
			return len(got.Kvs), nil
		})
		go read(func() (int, error) {
			got, err := cli.Txn(within(t, 30*time.Second)).Then(clientv3.OpGet("", clientv3.WithPrefix())).Commit()
			if err != nil {
				return 0, err
			}
			return len(got.Responses[0].GetResponseRange().Kvs), nil
		})
		go read(func() (int, error) {
			return readStream(t, cli)
		})
	}
	for range 6 {
		go read(func() (int, error) {
			resp, err := http.Post(c.configs[0].ListenClientURLs+"/v3/kv/range", "application/json", strings.NewReader(`{"key":"AA==","range_end":"AA=="}`))
			if err != nil {
				return 0, err
			}
			defer resp.Body.Close()
			body, err := io.ReadAll(resp.Body)
			if resp.StatusCode != http.StatusOK {
				return 0, fmt.Errorf("%s: %s", resp.Status, body)
			}
			return strings.Count(string(body), `"key":`), err
		})
	}
	for range 30 {
		if err := <-failed; err != nil {
			t.Error(err)
		}
	}
	nothingHeld(t, c.members[0].backend)
}

func readStream(t *testing.T, cli *clientv3.Client) (keys int, err error) {
	stream, err := pb.NewKVClient(cli.ActiveConnection()).RangeStream(within(t, 30*time.Second), &pb.RangeRequest{Key: []byte{0}, RangeEnd: []byte{0}})
	for err == nil {
		var chunk *pb.RangeStreamResponse
		if chunk, err = stream.Recv(); err == nil {
			keys += len(chunk.RangeResponse.Kvs)
		}
	}
	if err == io.EOF {
		err = nil
	}
	return keys, err
}

// fillWith puts so many keys, k0000 and on.
func fillWith(t *testing.T, c *cluster, keys, valueBytes int) {
	t.Helper()
	value := strings.Repeat("v", valueBytes)
	for i := range keys {
		if _, err := c.client().Put(within(t, 10*time.Second), fmt.Sprintf("k%04d", i), value); err != nil {
			t.Fatal(err)
		}
	}
}

func nothingHeld(t *testing.T, b *backend) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); b.responses.Held() != 0; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%d bytes are still held", b.responses.Held())
		}
		runtime.GC() // finds what a broken connection left
	}
}

package torture

import (
	"context"
	"net"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	lin "github.com/holdfast-db/holdfast/linearizability"
)

// TestRefusedIsNotAmbiguous: a write that never left, since nobody listens, must not lengthen the list of those that
// may have happened.
func TestRefusedIsNotAmbiguous(t *testing.T) {
	t.Setenv("ETCD_CLIENT_DEBUG", "fatal")
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	url := "http://" + l.Addr().String()
	l.Close()
	c, err := (&clients{lines: newLines()}).dial(url, clientv3.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	put := lin.Request{Kind: lin.Put, Key: "k", Value: "v"}
	for _, r := range []lin.Request{put, {Kind: lin.Txn, Then: []lin.Request{put}}} {
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		begin := time.Now()
		got := send(ctx, c, r)
		cancel()
		t.Log(got.Error, time.Since(begin))
		if got.Outcome != lin.Failed {
			t.Errorf("%v: %+v", r, got)
		}
	}
}

package main

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/holdfast-db/holdfast/examples/go/connect"
)

// centre holds the settings in use and follows the key they come from.
type centre struct {
	client *clientv3.Client
	key    string
	inUse  atomic.Pointer[settings]

	mu sync.Mutex
	is status
}

// status is what an operator wants to know after a change: is it in use, and if not, why?
type status struct {
	Settings settings `json:"settings"`
	Revision int64    `json:"revision"`          // of the change in use; 0: the defaults
	Seen     int      `json:"seen"`              // changes that arrived
	Refused  int      `json:"refused"`           // those of them that were not good
	Problem  string   `json:"problem,omitempty"` // what is wrong with the newest, if it is not in use
}

func newCentre(client *clientv3.Client, key string) *centre {
	c := &centre{client: client, key: key}
	c.inUse.Store(&defaults)
	c.is.Settings = defaults
	return c
}

func (c *centre) settings() *settings { return c.inUse.Load() }

func (c *centre) status() status {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.is
}

// run reads and follows until ctx ends. The loop comes round only when the watch cannot go on where it was, because the
// revision it needs was compacted; of a change of leader and a lost connection connect.Watch takes care.
func (c *centre) run(ctx context.Context) {
	for ctx.Err() == nil {
		revision, err := c.read(ctx)
		if err != nil {
			fmt.Println("cannot read the configuration, going on with the last:", err)
			select {
			case <-ctx.Done():
			case <-time.After(time.Second):
			}
			continue
		}
		c.follow(ctx, revision+1)
	}
}

// read takes the value of now and returns the revision at which it was read.
func (c *centre) read(ctx context.Context) (int64, error) {
	ctx, cancel := context.WithTimeout(ctx, connect.Attempt)
	defer cancel()
	r, err := c.client.Get(ctx, c.key)
	if err != nil {
		return 0, err
	}
	for _, kv := range r.Kvs {
		if kv.ModRevision != c.status().Revision {
			c.adopt(kv.Value, kv.ModRevision)
		}
	}
	return r.Header.Revision, nil
}

func (c *centre) follow(ctx context.Context, from int64) {
	err := connect.Watch(ctx, c.client, c.key, from, func(e *clientv3.Event) {
		if e.Type == clientv3.EventTypeDelete {
			fmt.Println("the configuration was deleted; the last one stays in use")
			return
		}
		c.adopt(e.Kv.Value, e.Kv.ModRevision)
	})
	if err != nil {
		fmt.Println("starting over:", err)
	}
}

// adopt puts a change to use, if it is good.
func (c *centre) adopt(data []byte, revision int64) {
	good, err := parse(data)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.is.Seen++
	if err != nil {
		c.is.Refused++
		c.is.Problem = fmt.Sprintf("revision %d: %v", revision, err)
		fmt.Println("refused", c.is.Problem)
		return
	}
	c.inUse.Store(good)
	c.is.Settings, c.is.Revision, c.is.Problem = *good, revision, ""
	fmt.Println("in use: revision", revision)
}

package torture

import (
	"context"
	"fmt"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/holdfast-db/holdfast/internal/proc"
	lin "github.com/holdfast-db/holdfast/linearizability"
)

// evidence is what one member says about a round once all is quiet.
type evidence struct {
	Member string
	Log    []lin.Change   // every change after the base revision, in order
	State  []lin.KeyValue // what is stored at the end, read from the member's own store
	Hash   uint32         // HashKV at the end
}

// contents reads all keys with a linearizable read: the state and its revision.
func contents(ctx context.Context, c *clientv3.Client) (kvs []lin.KeyValue, revision int64, err error) {
	r, err := c.Get(ctx, prefix, clientv3.WithPrefix())
	if err != nil {
		return nil, 0, fmt.Errorf("torture: reading all keys: %w", err)
	}
	for _, kv := range r.Kvs {
		kvs = append(kvs, *keyValue(kv))
	}
	return kvs, r.Header.Revision, nil
}

// testimony asks a member for its evidence about (base, last]; the hash is for administrators.
func testimony(ctx context.Context, m *proc.Member, c, admin *clientv3.Client, base, last int64) (evidence, error) {
	e := evidence{Member: m.Name}
	if _, err := c.Get(ctx, prefix+"any"); err != nil { // linearizable: from here on the member has applied all
		return e, fmt.Errorf("torture: %s does not serve: %w", m.Name, err)
	}
	var err error
	if e.Log, err = changes(ctx, c, base, last); err != nil {
		return e, fmt.Errorf("torture: the log of changes of %s: %w", m.Name, err)
	}
	state, err := c.Get(ctx, prefix, clientv3.WithPrefix(), clientv3.WithSerializable(), clientv3.WithRev(last))
	if err != nil {
		return e, fmt.Errorf("torture: the state of %s: %w", m.Name, err)
	}
	for _, kv := range state.Kvs {
		e.State = append(e.State, *keyValue(kv))
	}
	hash, err := admin.HashKV(ctx, m.ClientURL, last)
	if err != nil {
		return e, fmt.Errorf("torture: HashKV of %s: %w", m.Name, err)
	}
	e.Hash = hash.Hash
	return e, nil
}

// changes reads all that happened in (base, last] from a member's history. The last revision need not be one of
// ours, so it is progress that says when the end is reached.
func changes(ctx context.Context, c *clientv3.Client, base, last int64) ([]lin.Change, error) {
	if last <= base {
		return nil, nil
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	responses := c.Watch(ctx, prefix, clientv3.WithPrefix(), clientv3.WithRev(base+1))
	ask := time.NewTicker(20 * time.Millisecond)
	defer ask.Stop()
	var out []lin.Change
	for {
		select {
		case r, open := <-responses:
			if !open {
				return nil, fmt.Errorf("the watch was closed after %d changes: %w", len(out), ctx.Err())
			}
			if err := r.Err(); err != nil {
				return nil, err
			}
			for _, e := range r.Events {
				out = append(out, change(e))
			}
			if r.IsProgressNotify() && r.Header.Revision >= last || len(out) > 0 && out[len(out)-1].KV.Mod >= last {
				return out, nil
			}
		case <-ask.C:
			_ = c.RequestProgress(ctx) // repeated by the next tick
		}
	}
}

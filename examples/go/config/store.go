package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/holdfast-db/holdfast/examples/go/connect"
)

// version is one entry of a setting's history.
type version struct {
	Value string    `json:"value"`
	By    string    `json:"by,omitempty"`
	At    time.Time `json:"at"`
	Note  string    `json:"note,omitempty"`
	ID    string    `json:"id"` // tells a writer whether an entry is its own
}

// store reads and writes settings.
type store struct {
	client *clientv3.Client
	by     string
}

func current(name string) string           { return "config/" + name }
func historyOf(name string) string         { return "config-history/" + name + "/" }
func entry(name string, number int) string { return fmt.Sprintf("%s%08d", historyOf(name), number) }
func missing(name string) error            { return fmt.Errorf("there is no setting %q", name) }
func absent(key string) clientv3.Cmp       { return clientv3.Compare(clientv3.CreateRevision(key), "=", 0) }
func (s store) now() time.Time             { return time.Now().UTC().Truncate(time.Second) }

// set writes a new version and returns its number. Two writers at once never overwrite each other's history: the
// transaction holds only if nobody has written this very version, and whoever lost takes the next number.
//
// The same guard answers "what if I do this twice?". An attempt whose outcome is unclear may yet become version n, as
// long as there is none. So before it takes another number, the next attempt looks at n: if it is there, it is either
// our own, and all is done, or another's, and ours can never happen; if not, n is the next number still, and of two
// attempts at n one holds. (To look at the newest version instead would not do: another writer may have put one on top.)
func (s store) set(ctx context.Context, name, value, note string) (number int, err error) {
	mine := version{Value: value, By: s.by, At: s.now(), Note: note, ID: rand.Text()}
	encoded, err := json.Marshal(mine)
	if err != nil {
		return 0, err
	}
	err = connect.Retry(ctx, func(ctx context.Context) error {
		for {
			if number > 0 {
				if there, err := s.read(ctx, name, number); err != nil || there.ID == mine.ID {
					return err
				}
			}
			last, err := s.last(ctx, name)
			if err != nil {
				return err
			}
			number = last + 1
			done, err := s.client.Txn(ctx).
				If(absent(entry(name, number))).
				Then(clientv3.OpPut(entry(name, number), string(encoded)), clientv3.OpPut(current(name), value)).
				Commit()
			if err != nil || done.Succeeded {
				return err
			}
		}
	})
	return number, err
}

// read returns one version; the zero version when there is none of that number.
func (s store) read(ctx context.Context, name string, number int) (v version, err error) {
	r, err := s.client.Get(ctx, entry(name, number))
	if err != nil || len(r.Kvs) == 0 {
		return version{}, err
	}
	if err := json.Unmarshal(r.Kvs[0].Value, &v); err != nil {
		return version{}, fmt.Errorf("%s: %w", r.Kvs[0].Key, err)
	}
	return v, nil
}

// last returns the newest version's number, 0 when there is none.
func (s store) last(ctx context.Context, name string) (number int, err error) {
	r, err := s.client.Get(ctx, historyOf(name), clientv3.WithLastKey()...)
	if err != nil || len(r.Kvs) == 0 {
		return 0, err
	}
	_, err = fmt.Sscanf(string(r.Kvs[0].Key[len(historyOf(name)):]), "%d", &number)
	return number, err
}

func (s store) get(ctx context.Context, name string) (string, error) {
	r, err := s.client.Get(ctx, current(name))
	if err != nil {
		return "", err
	}
	if len(r.Kvs) == 0 {
		return "", missing(name)
	}
	return string(r.Kvs[0].Value), nil
}

// history returns all versions, the oldest first.
func (s store) history(ctx context.Context, name string) ([]version, error) {
	r, err := s.client.Get(ctx, historyOf(name), clientv3.WithPrefix())
	if err != nil {
		return nil, err
	}
	if len(r.Kvs) == 0 {
		return nil, missing(name)
	}
	versions := make([]version, len(r.Kvs))
	for i, kv := range r.Kvs {
		if err := json.Unmarshal(kv.Value, &versions[i]); err != nil {
			return nil, fmt.Errorf("%s: %w", kv.Key, err)
		}
	}
	return versions, nil
}

// rollback writes an old version's value as the newest one. History only grows: the bad change stays in it, for those
// who want to know in a year why the application failed that Tuesday.
func (s store) rollback(ctx context.Context, name string, number int, note string) (int, error) {
	versions, err := s.history(ctx, name)
	if err != nil {
		return 0, err
	}
	if number > len(versions) {
		return 0, fmt.Errorf("%s has %d versions, not %d", name, len(versions), number)
	}
	if note == "" {
		note = fmt.Sprintf("rollback to version %d", number)
	}
	return s.set(ctx, name, versions[number-1].Value, note)
}

// watch prints the value and then every change. It starts behind the revision that it read, so nothing falls between
// the two. If it was away for so long that the changes it missed have been compacted, the watch ends with an error that
// says so, and it starts over from the value of now: then, and only then, are changes skipped, and it says that too.
func (s store) watch(ctx context.Context, out io.Writer, name string) error {
	for {
		var r *clientv3.GetResponse
		err := connect.Retry(ctx, func(ctx context.Context) (err error) {
			r, err = s.client.Get(ctx, current(name))
			return err
		})
		if err != nil {
			return err
		}
		for _, kv := range r.Kvs {
			fmt.Fprintf(out, "%s = %s\n", name, kv.Value)
		}
		err = connect.Watch(ctx, s.client, current(name), r.Header.Revision+1, func(e *clientv3.Event) {
			if e.Type == clientv3.EventTypeDelete {
				fmt.Fprintf(out, "%s was deleted\n", name)
				return
			}
			fmt.Fprintf(out, "%s = %s\n", name, e.Kv.Value)
		})
		if !errors.Is(err, connect.ErrCompacted) {
			return err
		}
		fmt.Fprintln(out, "(changes were missed: they have been compacted)")
	}
}

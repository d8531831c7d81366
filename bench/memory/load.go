package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/holdfast-db/holdfast/internal/proc"
)

// load is one server's run.
type load struct {
	server, binary, tool string
	keys                 int
	settle               time.Duration
}

// result is what was measured; sizes are in bytes.
type result struct {
	Server                 string
	LoadTook               time.Duration
	Loaded, LoadPeak       int64
	AfterStop, AfterKill   time.Duration // process start to the first linearizable read
	Restarted, RestartPeak int64         // after the restart that followed the SIGKILL
	DataDirBytes           int64
}

func (l *load) measure(ctx context.Context, dir string) (result, error) {
	home := filepath.Join(dir, l.server+"-home")
	if err := os.Mkdir(home, 0o700); err != nil {
		return result{}, err
	}
	defer os.RemoveAll(home)
	start, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	cluster, err := proc.Start(start, proc.Options{Binary: l.binary, Members: 1, Dir: home})
	if err != nil {
		return result{}, err
	}
	defer cluster.KillAll()
	node := cluster.Members[0]
	r := result{Server: l.server}
	if err := l.fill(ctx, node, &r); err != nil {
		return r, fmt.Errorf("%w\n%s", err, cluster.LogTails(10))
	}
	if err := l.restarts(ctx, node, &r); err != nil {
		return r, fmt.Errorf("%w\n%s", err, cluster.LogTails(10))
	}
	return r, nil
}

// fill loads the keys, checks that all are there, waits and reads the memory.
func (l *load) fill(ctx context.Context, node *proc.Member, r *result) error {
	begin := time.Now()
	cmd := exec.CommandContext(ctx, l.tool, "--endpoints="+strings.TrimPrefix(node.ClientURL, "http://"),
		"--clients=1000", "--conns=100", "put", "--sequential-keys", "--key-size=32", "--val-size=256",
		fmt.Sprintf("--key-space-size=%d", l.keys), fmt.Sprintf("--total=%d", l.keys))
	if out, err := cmd.Output(); err != nil || strings.Contains(string(out), "Error distribution") {
		return fmt.Errorf("load: %v\n%s", err, out)
	}
	r.LoadTook = time.Since(begin)
	if n, err := count(ctx, node.ClientURL); err != nil || n != int64(l.keys) {
		return fmt.Errorf("%d keys are there, want %d (%v)", n, l.keys, err)
	}
	var err error
	r.Loaded, r.LoadPeak, err = l.settled(ctx, node)
	return err
}

// restarts measures one after a clean stop and one after SIGKILL.
func (l *load) restarts(ctx context.Context, node *proc.Member, r *result) error {
	if err := node.Stop(time.Minute); err != nil {
		return err
	}
	var err error
	if r.AfterStop, err = timeToRead(ctx, node); err != nil {
		return err
	}
	if err := node.Kill(); err != nil {
		return err
	}
	r.DataDirBytes = diskUse(node.DataDir)
	if r.AfterKill, err = timeToRead(ctx, node); err != nil {
		return err
	}
	if n, err := count(ctx, node.ClientURL); err != nil || n != int64(l.keys) {
		return fmt.Errorf("after the restart %d keys are there, want %d (%v)", n, l.keys, err)
	}
	r.Restarted, r.RestartPeak, err = l.settled(ctx, node)
	return err
}

func (l *load) settled(ctx context.Context, node *proc.Member) (rss, peak int64, err error) {
	select {
	case <-time.After(l.settle):
	case <-ctx.Done():
		return 0, 0, ctx.Err()
	}
	u, err := node.Usage()
	return u.RSSBytes, u.RSSPeak, err
}

func count(ctx context.Context, url string) (int64, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	client, err := clientv3.New(clientv3.Config{Endpoints: []string{url}})
	if err != nil {
		return 0, err
	}
	defer client.Close()
	r, err := client.Get(ctx, "\x00", clientv3.WithFromKey(), clientv3.WithCountOnly())
	if err != nil {
		return 0, err
	}
	return r.Count, nil
}

// timeToRead starts the process and asks until a linearizable read is answered. Each attempt dials anew: a client
// that failed once would wait a second before it dials again, and that would be measured.
func timeToRead(ctx context.Context, node *proc.Member) (time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	begin := time.Now()
	if err := node.Start(); err != nil {
		return 0, err
	}
	for {
		if readOnce(ctx, node.ClientURL) {
			return time.Since(begin), nil
		}
		select {
		case <-node.Exited():
			return 0, fmt.Errorf("the server ended:\n%s", node.LogTail(10))
		case <-ctx.Done():
			return 0, ctx.Err()
		case <-time.After(2 * time.Millisecond):
		}
	}
}

func readOnce(ctx context.Context, url string) bool {
	conn, err := net.DialTimeout("tcp", strings.TrimPrefix(url, "http://"), time.Second)
	if err != nil {
		return false
	}
	conn.Close()
	client, err := clientv3.New(clientv3.Config{Endpoints: []string{url}})
	if err != nil {
		return false
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	_, err = client.Get(ctx, "any")
	return err == nil
}

// diskUse sums file sizes; what cannot be read counts as nothing.
func diskUse(dir string) (bytes int64) {
	_ = filepath.WalkDir(dir, func(_ string, entry os.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return nil
		}
		if info, err := entry.Info(); err == nil {
			bytes += info.Size()
		}
		return nil
	})
	return bytes
}

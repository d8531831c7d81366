package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
)

const localHelp = `Start a cluster of several members as processes of this machine, with their
logs side by side. Ctrl-C stops all of them. To see what a crash does, kill a
member by its process id, which is printed: the others go on.

Member i serves clients on PORT+10·i and peers one above that.`

// localOptions are what "holdfast local" is told.
type localOptions struct {
	nodes   int
	port    int
	dataDir string
	raw     bool
	extra   []string // flags for every member
}

func newLocal() *cobra.Command {
	var o localOptions
	cmd := &cobra.Command{
		Use:   "local [-- FLAGS FOR ALL MEMBERS]",
		Short: "Run a whole cluster on this machine",
		Long:  localHelp,
		Example: `  holdfast local --nodes 3
  holdfast local --nodes 5 --port 12379 --data-dir ./cluster
  holdfast local -- --log-level debug --quota-backend-bytes 1000000`,
		Args: cobra.ArbitraryArgs,
	}
	cmd.Flags().IntVar(&o.nodes, "nodes", 3, "members")
	cmd.Flags().IntVar(&o.port, "port", 2379, "first client port")
	cmd.Flags().StringVar(&o.dataDir, "data-dir", "", "keep the data here (default: a temporary directory, removed at the end)")
	cmd.Flags().BoolVar(&o.raw, "raw-logs", false, "logs as the members write them, in JSON")
	cmd.RunE = run(func(cmd *cobra.Command, args []string) error {
		if o.nodes < 1 || o.nodes > 9 {
			return exitWith(exitUsage, fmt.Errorf("--nodes must be between 1 and 9 (set to %d)", o.nodes))
		}
		o.extra = args
		return o.run(cmd.Context(), cmd.OutOrStdout())
	})
	return cmd
}

// child is one member's process.
type child struct {
	name string
	cmd  *exec.Cmd
	done chan error
}

func (o *localOptions) run(ctx context.Context, out io.Writer) error {
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	if o.dataDir == "" {
		dir, err := os.MkdirTemp("", "holdfast-local-")
		if err != nil {
			return err
		}
		defer os.RemoveAll(dir)
		o.dataDir = dir
	}
	lines := &lineWriter{w: out, color: wantColor(out), raw: o.raw}
	children, err := o.start(lines)
	defer stopChildren(children)
	if err != nil {
		return err
	}
	go o.greet(ctx, lines, children)
	return waitChildren(ctx, lines, children)
}

func (o *localOptions) start(lines *lineWriter) (children []*child, err error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	for i := range o.nodes {
		name := o.name(i)
		cmd := exec.Command(self, o.args(i)...)
		cmd.SysProcAttr = childAttr()
		cmd.Stdout, cmd.Stderr = lines.prefixed(i, name), lines.prefixed(i, name)
		cmd.WaitDelay = time.Second
		if err := cmd.Start(); err != nil {
			return children, err
		}
		c := &child{name: name, cmd: cmd, done: make(chan error, 1)}
		go func() { c.done <- cmd.Wait() }()
		children = append(children, c)
	}
	return children, nil
}

func (o *localOptions) name(i int) string   { return fmt.Sprintf("n%d", i+1) }
func (o *localOptions) client(i int) string { return fmt.Sprintf("http://127.0.0.1:%d", o.port+10*i) }
func (o *localOptions) peerURL(i int) string {
	return fmt.Sprintf("http://127.0.0.1:%d", o.port+10*i+1)
}
func (o *localOptions) clientHost(i int) string { return strings.TrimPrefix(o.client(i), "http://") }

func (o *localOptions) args(i int) []string {
	var initial []string
	for j := range o.nodes {
		initial = append(initial, o.name(j)+"="+o.peerURL(j))
	}
	args := []string{
		"serve", "--name", o.name(i), "--data-dir", filepath.Join(o.dataDir, o.name(i)),
		"--listen-client-urls", o.client(i), "--advertise-client-urls", o.client(i),
		"--listen-peer-urls", o.peerURL(i), "--initial-advertise-peer-urls", o.peerURL(i),
		"--initial-cluster", strings.Join(initial, ","), "--initial-cluster-token", "holdfast-local",
	}
	return append(args, o.extra...)
}

// greet says how to use the cluster, once it can be used.
func (o *localOptions) greet(ctx context.Context, lines *lineWriter, children []*child) {
	var endpoints []string
	for i := range o.nodes {
		endpoints = append(endpoints, o.clientHost(i))
	}
	if !o.ready(ctx, endpoints) {
		return
	}
	var b strings.Builder
	fmt.Fprintf(&b, "\nThe cluster is ready. Data: %s\n", o.dataDir)
	for i, c := range children {
		fmt.Fprintf(&b, "  %s  %s  pid %d\n", c.name, o.client(i), c.cmd.Process.Pid)
	}
	list := strings.Join(endpoints, ",")
	fmt.Fprintf(&b, "Try:\n  etcdctl --endpoints=%s put greeting hello\n  holdfast status --endpoints %s\nCtrl-C stops it.\n\n", list, list)
	lines.write(b.String())
}

func (o *localOptions) ready(ctx context.Context, endpoints []string) bool {
	c, err := clientv3.New(clientv3.Config{Endpoints: endpoints, Context: ctx, Logger: zap.NewNop()})
	if err != nil {
		return false
	}
	defer c.Close()
	for _, e := range endpoints {
		for {
			if _, err := c.Status(ctx, e); err == nil {
				break
			}
			if ctx.Err() != nil {
				return false
			}
			time.Sleep(50 * time.Millisecond)
		}
	}
	return true
}

// waitChildren returns when the user wants to stop, or no member is left.
func waitChildren(ctx context.Context, lines *lineWriter, children []*child) error {
	var left sync.WaitGroup
	for _, c := range children {
		left.Go(func() {
			err := <-c.done
			c.done <- err // stopChildren looks, too
			if ctx.Err() == nil {
				lines.write(fmt.Sprintf("%s ended (%v); the others go on\n", c.name, endOf(err)))
			}
		})
	}
	gone := make(chan struct{})
	go func() { left.Wait(); close(gone) }()
	select {
	case <-ctx.Done():
		lines.write("stopping all members\n")
		return nil
	case <-gone:
		return errors.New("all members have ended")
	}
}

func endOf(err error) string {
	if err == nil {
		return "exit status 0"
	}
	return err.Error()
}

// childStopTimeout is how long a member may take to stop before it is killed.
const childStopTimeout = 5 * time.Second

func stopChildren(children []*child) {
	for _, c := range children {
		_ = c.cmd.Process.Signal(syscall.SIGTERM) // it may have ended already
	}
	deadline := time.After(childStopTimeout)
	for _, c := range children {
		select {
		case <-c.done:
		case <-deadline:
			_ = c.cmd.Process.Kill() // as above
			<-c.done
		}
	}
}

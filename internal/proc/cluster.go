package proc

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"
)

// Options says what cluster to start.
type Options struct {
	Binary  string   // path of a server that takes etcd's flags
	Members int      // 1 and more
	Dir     string   // where the members keep data and logs; must exist
	Args    []string // flags that every member gets after its own
	Env     []string // NAME=value, beside PATH and HOME
	// Scheme is that of all URLs: "https" with flags for certificates among Args, which may name files in the
	// member's folder, its working directory; "" is http.
	Scheme string
	// PeerURL gives the URL that a member advertises to its peers, when something stands before the one that it
	// listens on; nil: the same.
	PeerURL func(listenURL string) (string, error)
	// Host is the address of a member, counted from 0, on which it listens; nil: 127.0.0.1 for all.
	Host func(member int) string
	// Spawn runs the function that starts a member's process, for who wants it to start in another namespace than this
	// process has; nil: just runs it. The process inherits what the calling thread has, which must outlive it.
	Spawn func(member int, start func() error) error
	// Prepare is called with the members before the first of them starts; nil for nothing.
	Prepare func([]*Member)
}

// Cluster is a set of members that were started together.
type Cluster struct {
	Members []*Member

	options Options
}

// New lays a cluster out (ports, folders, flags) and starts nothing.
func New(o Options) (*Cluster, error) {
	if o.Members < 1 {
		return nil, fmt.Errorf("proc: a cluster of %d members", o.Members)
	}
	c := &Cluster{options: o}
	var initial []string
	for i := range o.Members {
		m, err := newMember(i, o)
		if err != nil {
			return nil, err
		}
		if o.PeerURL != nil {
			if m.PeerURL, err = o.PeerURL(m.ListenPeerURL); err != nil {
				return nil, err
			}
		}
		c.Members = append(c.Members, m)
		initial = append(initial, m.Name+"="+m.PeerURL)
	}
	for _, m := range c.Members {
		m.args = append(memberArgs(m, strings.Join(initial, ",")), o.Args...)
		m.env = append(baseEnv(), o.Env...)
	}
	return c, nil
}

// Join lays out one more member, which is to be added to the running cluster and
// then started; it is told to join the members that Members lists by then.
func (c *Cluster) Join() (*Member, error) {
	m, err := newMember(len(c.Members), c.options)
	if err != nil {
		return nil, err
	}
	c.Members = append(c.Members, m)
	var initial []string
	for _, other := range c.Members {
		initial = append(initial, other.Name+"="+other.PeerURL)
	}
	m.args = append(memberArgs(m, strings.Join(initial, ",")), c.options.Args...)
	m.args = append(m.args, "--initial-cluster-state=existing")
	m.env = append(baseEnv(), c.options.Env...)
	return m, nil
}

// Start lays a cluster out, starts all members at once and waits until each serves.
func Start(ctx context.Context, o Options) (*Cluster, error) {
	c, err := New(o)
	if err != nil {
		return nil, err
	}
	if o.Prepare != nil {
		o.Prepare(c.Members)
	}
	for _, m := range c.Members {
		if err := m.Start(); err != nil {
			return nil, errors.Join(err, c.KillAll())
		}
	}
	if err := c.WaitReady(ctx); err != nil {
		return nil, errors.Join(err, c.KillAll())
	}
	return c, nil
}

// WaitReady waits until every member that runs has printed its ready line.
func (c *Cluster) WaitReady(ctx context.Context) error {
	for _, m := range c.Members {
		if !m.Running() {
			continue
		}
		if err := m.WaitReady(ctx); err != nil {
			return err
		}
	}
	return nil
}

// StartAll starts the members that are down, without waiting.
func (c *Cluster) StartAll() error {
	for _, m := range c.Members {
		if m.Running() {
			continue
		}
		if err := m.Start(); err != nil {
			return err
		}
	}
	return nil
}

// KillAll sends SIGKILL to all members that run, at the same moment as far as the scheduler allows, and returns
// when they are gone.
func (c *Cluster) KillAll() error {
	return c.each(func(m *Member) error { return m.Kill() })
}

// Stop stops all members at once; see Member.Stop.
func (c *Cluster) Stop(grace time.Duration) error {
	return c.each(func(m *Member) error { return m.Stop(grace) })
}

// Endpoints are the client URLs of all members, in order.
func (c *Cluster) Endpoints() []string {
	var urls []string
	for _, m := range c.Members {
		urls = append(urls, m.ClientURL)
	}
	return urls
}

// LogTails is the end of every member's log, for the report of a failure.
func (c *Cluster) LogTails(lines int) string {
	var b strings.Builder
	for _, m := range c.Members {
		fmt.Fprintf(&b, "--- %s (%s), %d lives, last %d lines of %s\n%s\n",
			m.Name, m.ClientURL, m.lives, lines, m.LogPath, m.LogTail(lines))
	}
	return b.String()
}

func (c *Cluster) each(f func(*Member) error) error {
	errs := make([]error, len(c.Members))
	var wg sync.WaitGroup
	for i, m := range c.Members {
		if !m.Running() {
			continue
		}
		wg.Go(func() { errs[i] = f(m) })
	}
	wg.Wait()
	for i, err := range errs {
		if errors.Is(err, ErrNotRunning) { // it ended between the question and the signal
			errs[i] = nil
		}
	}
	return errors.Join(errs...)
}

func memberArgs(m *Member, initial string) []string {
	return []string{
		"--name=" + m.Name,
		"--data-dir=" + m.DataDir,
		"--listen-client-urls=" + m.ClientURL,
		"--advertise-client-urls=" + m.ClientURL,
		"--listen-peer-urls=" + m.ListenPeerURL,
		"--initial-advertise-peer-urls=" + m.PeerURL,
		"--initial-cluster=" + initial,
		"--initial-cluster-state=new",
		"--initial-cluster-token=proc",
	}
}

// baseEnv keeps the tester's own ETCD_ and HOLDFAST_ variables out of the servers.
func baseEnv() []string {
	return []string{"PATH=" + os.Getenv("PATH"), "HOME=" + os.Getenv("HOME")}
}

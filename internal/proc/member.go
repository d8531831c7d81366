package proc

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"time"
)

// readyLine is what a server prints once it serves linearizable requests; harnesses wait for these very words.
const readyLine = "ready to serve client requests"

// ErrNotRunning is returned for an operation that needs a live process.
var ErrNotRunning = errors.New("proc: member is not running")

// Member is one server process with its address, its data directory and its log. The zero value is not usable;
// a Cluster makes them. Methods may be called from several goroutines.
type Member struct {
	Name      string // n1, n2, …
	ClientURL string // SCHEME://HOST:PORT
	PeerURL   string // SCHEME://HOST:PORT, as others dial it
	Dir       string // holds everything of this member
	DataDir   string // Dir/data, made by the server
	// ListenPeerURL is where the member listens for peers: PeerURL, unless something stands between.
	ListenPeerURL string
	LogPath       string // Dir/log, appended to over all lives of the member

	host   string
	spawn  func(start func() error) error
	binary string
	args   []string
	extra  []string // of SetExtra
	env    []string

	mu    sync.Mutex
	life  *life // the current or the last process; nil before the first start
	lives int
}

// life is one run of the process.
type life struct {
	cmd      *exec.Cmd
	logStart int64         // size of the log when the process started
	exited   chan struct{} // closed once the process is gone and reaped
	err      error         // of Wait; read it after exited is closed
}

// Start starts the process with the member's flags and extra ones after them (the last of a repeated flag wins).
// It does not wait until the member serves: without a quorum of others that may be never.
func (m *Member) Start(extra ...string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.runningLocked() {
		return fmt.Errorf("proc: %s runs already (pid %d)", m.Name, m.life.cmd.Process.Pid)
	}
	log, err := os.OpenFile(m.LogPath, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("proc: log of %s: %w", m.Name, err)
	}
	defer log.Close() // the child has its own copy
	start, err := log.Seek(0, 2)
	if err != nil {
		return fmt.Errorf("proc: log of %s: %w", m.Name, err)
	}
	cmd := exec.Command(m.binary, slices.Concat(m.args, m.extra, extra)...)
	cmd.Dir, cmd.Env = m.Dir, m.env
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = childAttributes()
	if err := m.spawn(cmd.Start); err != nil {
		return fmt.Errorf("proc: start %s: %w", m.Name, err)
	}
	l := &life{cmd: cmd, logStart: start, exited: make(chan struct{})}
	go func() {
		l.err = cmd.Wait()
		close(l.exited)
	}()
	m.life = l
	m.lives++
	return nil
}

// WaitReady returns when this life of the member has printed its ready line, and with an error that holds the end
// of the log when the process dies first or ctx ends.
func (m *Member) WaitReady(ctx context.Context) error {
	m.mu.Lock()
	l := m.life
	m.mu.Unlock()
	if l == nil {
		return ErrNotRunning
	}
	poll := time.NewTicker(5 * time.Millisecond)
	defer poll.Stop()
	for {
		ready, err := logContains(m.LogPath, l.logStart, readyLine)
		if err != nil {
			return fmt.Errorf("proc: log of %s: %w", m.Name, err)
		}
		if ready {
			return nil
		}
		select {
		case <-l.exited:
			return fmt.Errorf("proc: %s ended before it was ready: %v\n%s", m.Name, l.err, m.LogTail(20))
		case <-ctx.Done():
			return fmt.Errorf("proc: %s is not ready: %w\n%s", m.Name, ctx.Err(), m.LogTail(20))
		case <-poll.C:
		}
	}
}

// SetExtra sets flags that every later start gets behind the member's own, in place of those that were set before.
func (m *Member) SetExtra(args ...string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.extra = args
}

// Restart is Start and WaitReady.
func (m *Member) Restart(ctx context.Context, extra ...string) error {
	if err := m.Start(extra...); err != nil {
		return err
	}
	return m.WaitReady(ctx)
}

// Kill ends the process with SIGKILL and returns when it is gone: no handler runs, nothing is flushed.
func (m *Member) Kill() error {
	l, err := m.signal(syscall.SIGKILL)
	if err != nil {
		return err
	}
	<-l.exited
	return nil
}

// Stop asks the process to end (SIGTERM) and waits. After grace it is killed, and that is an error: a server must
// end by itself.
func (m *Member) Stop(grace time.Duration) error {
	l, err := m.signal(syscall.SIGTERM)
	if err != nil {
		return err
	}
	timer := time.NewTimer(grace)
	defer timer.Stop()
	select {
	case <-l.exited:
		return nil
	case <-timer.C:
	}
	_ = l.cmd.Process.Kill() // fails only if it has just ended
	<-l.exited
	return fmt.Errorf("proc: %s did not end within %v of SIGTERM", m.Name, grace)
}

// Pause stops the process with SIGSTOP: it holds its sockets and says nothing.
func (m *Member) Pause() error { _, err := m.signal(syscall.SIGSTOP); return err }

// Resume continues a paused process.
func (m *Member) Resume() error { _, err := m.signal(syscall.SIGCONT); return err }

// Running tells whether there is a process (a paused one counts).
func (m *Member) Running() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.runningLocked()
}

// Exited is closed when the current life has ended; nil before the first start.
func (m *Member) Exited() <-chan struct{} {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.life == nil {
		return nil
	}
	return m.life.exited
}

// ExitCode is the exit code of the last life, −1 if it was ended by a signal or has not ended.
func (m *Member) ExitCode() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.life == nil || m.runningLocked() {
		return -1
	}
	return m.life.cmd.ProcessState.ExitCode()
}

// Pid is the process id, 0 when there is no process.
func (m *Member) Pid() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.runningLocked() {
		return 0
	}
	return m.life.cmd.Process.Pid
}

// Log returns all that the member printed in its current or last life.
func (m *Member) Log() ([]byte, error) {
	m.mu.Lock()
	l := m.life
	m.mu.Unlock()
	if l == nil {
		return nil, nil
	}
	return readFrom(m.LogPath, l.logStart)
}

// LogTail returns the last n lines of the log, for error messages; it never fails.
func (m *Member) LogTail(n int) string {
	b, err := os.ReadFile(m.LogPath)
	if err != nil {
		return err.Error()
	}
	lines := bytes.Split(bytes.TrimRight(b, "\n"), []byte("\n"))
	if len(lines) > n {
		lines = lines[len(lines)-n:]
	}
	return string(bytes.Join(lines, []byte("\n")))
}

// Host is the address that the member listens on.
func (m *Member) Host() string { return m.host }

// Wipe removes the data directory of a member that does not run.
func (m *Member) Wipe() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.runningLocked() {
		return fmt.Errorf("proc: %s runs; its data is not removed", m.Name)
	}
	return os.RemoveAll(m.DataDir)
}

func (m *Member) runningLocked() bool {
	if m.life == nil {
		return false
	}
	select {
	case <-m.life.exited:
		return false
	default:
		return true
	}
}

func (m *Member) signal(s syscall.Signal) (*life, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.runningLocked() {
		return nil, fmt.Errorf("%w: %s", ErrNotRunning, m.Name)
	}
	if err := m.life.cmd.Process.Signal(s); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return nil, fmt.Errorf("proc: %v to %s: %w", s, m.Name, err)
	}
	return m.life, nil
}

// logContains reads the log from an offset on. The logs of tests are small, so reading it again at each poll
// costs less than a reader that must deal with half a line.
func logContains(path string, offset int64, words string) (bool, error) {
	b, err := readFrom(path, offset)
	return bytes.Contains(b, []byte(words)), err
}

func readFrom(path string, offset int64) ([]byte, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	return b[min(offset, int64(len(b))):], nil
}

func newMember(index int, o Options) (*Member, error) {
	client, err := FreePort()
	if err != nil {
		return nil, err
	}
	peer, err := FreePort()
	if err != nil {
		return nil, err
	}
	m := &Member{Name: fmt.Sprintf("n%d", index+1), host: "127.0.0.1", binary: o.Binary}
	if o.Host != nil {
		m.host = o.Host(index)
	}
	m.spawn = func(start func() error) error { return start() }
	if o.Spawn != nil {
		m.spawn = func(start func() error) error { return o.Spawn(index, start) }
	}
	scheme := cmp.Or(o.Scheme, "http")
	m.ClientURL = fmt.Sprintf("%s://%s:%d", scheme, m.host, client)
	m.PeerURL = fmt.Sprintf("%s://%s:%d", scheme, m.host, peer)
	m.ListenPeerURL = m.PeerURL
	m.Dir = filepath.Join(o.Dir, m.Name)
	m.DataDir, m.LogPath = filepath.Join(m.Dir, "data"), filepath.Join(m.Dir, "log")
	return m, os.MkdirAll(m.Dir, 0o700)
}

package torture

import (
	"bufio"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"
)

// echo serves lines on a port of its own and returns its URL.
func echo(t *testing.T) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	echoOn(t, l)
	return "http://" + l.Addr().String()
}

// echoOn says to each who calls what he says, until the test ends.
func echoOn(t *testing.T, l net.Listener) {
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() { _, _ = io.Copy(c, c); c.Close() }()
		}
	}()
}

type caller struct {
	t *testing.T
	c net.Conn
	r *bufio.Reader
}

func call(t *testing.T, url string) *caller {
	c, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return &caller{t, c, bufio.NewReader(c)}
}

func (c *caller) say(line string) {
	if _, err := io.WriteString(c.c, line+"\n"); err != nil {
		c.t.Error(err)
	}
}

// hear waits for a line, "" for none within d.
func (c *caller) hear(d time.Duration) (string, error) {
	_ = c.c.SetReadDeadline(time.Now().Add(d))
	line, err := c.r.ReadString('\n')
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return "", nil
	}
	return strings.TrimSpace(line), err
}

func (c *caller) wantEcho(line string) {
	c.t.Helper()
	c.say(line)
	if got, err := c.hear(5 * time.Second); got != line {
		c.t.Fatalf("heard %q, %v, want %q", got, err, line)
	}
}

// The callers of these tests are no members, so their directions come from −1.
var (
	there = direction{-1, 0}
	back  = there.back()
)

func testProxies(t *testing.T) (*proxies, string) {
	n := newProxies()
	url, err := n.add(echo(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(n.close)
	return n, url
}

func TestCutHoldsBytes(t *testing.T) {
	for _, d := range []direction{there, back} {
		n, url := testProxies(t)
		c := call(t, url)
		c.wantEcho("before")
		n.setCut(true, false, d)
		c.say("held")
		if got, err := c.hear(50 * time.Millisecond); got != "" || err != nil {
			t.Fatalf("%v: heard %q, %v through a cut", d, got, err)
		}
		n.setCut(false, false, d)
		if got, _ := c.hear(5 * time.Second); got != "held" {
			t.Fatalf("%v: heard %q after the cut", d, got)
		}
	}
}

func TestDelay(t *testing.T) {
	n, url := testProxies(t)
	c := call(t, url)
	c.wantEcho("before")
	n.setDelay(60*time.Millisecond, there)
	n.setDelay(60*time.Millisecond, back)
	begin := time.Now()
	c.wantEcho("late")
	if took := time.Since(begin); took < 120*time.Millisecond {
		t.Errorf("there and back in %v", took)
	}
	n.heal()
	begin = time.Now()
	c.wantEcho("soon")
	if took := time.Since(begin); took > 100*time.Millisecond {
		t.Errorf("still slow: %v", took)
	}
}

func TestSeverResets(t *testing.T) {
	n, url := testProxies(t)
	c := call(t, url)
	c.wantEcho("before")
	n.setCut(true, true, back)
	if _, err := c.hear(5 * time.Second); err == nil {
		t.Fatal("the connection lives")
	}
	again := call(t, url)
	if _, err := again.hear(5 * time.Second); err == nil {
		t.Fatal("a new connection lives")
	}
	n.heal()
	call(t, url).wantEcho("after")
}

// TestDownRefuses: a member that was killed must look like it: its peers find out by being refused.
func TestDownRefuses(t *testing.T) {
	n, url := testProxies(t)
	n.down(0)
	_, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
	if !errors.Is(err, syscall.ECONNREFUSED) {
		t.Fatalf("dial: %v", err)
	}
	if err := n.up(0); err != nil {
		t.Fatal(err)
	}
	call(t, url).wantEcho("after")
}

func TestSocketOwner(t *testing.T) {
	_, url := testProxies(t)
	c := call(t, url)
	c.wantEcho("x")
	from, to := c.c.LocalAddr().(*net.TCPAddr).Port, c.c.RemoteAddr().(*net.TCPAddr).Port
	if got := socketOwner(from, to, []int{1 << 30, os.Getpid()}); got != 1 {
		t.Errorf("owner %d, want the second process", got)
	}
	if got := socketOwner(from, to+1, []int{os.Getpid()}); got != -1 {
		t.Errorf("owner %d of a connection that isn't there", got)
	}
}

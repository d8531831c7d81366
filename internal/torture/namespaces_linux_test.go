package torture

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// silence is how long a test listens for what must not come.
const silence = 300 * time.Millisecond

// testNamespaces makes namespaces of three members. Only a machine that can't have any excuses a test.
func testNamespaces(t *testing.T) *namespaces {
	t.Helper()
	n, err := newNamespaces(3)
	if errors.Is(err, os.ErrPermission) || errors.Is(err, os.ErrNotExist) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(n.close)
	return n
}

// serve lets a member echo lines, and returns its address.
func (n *namespaces) serve(t *testing.T, member int) string {
	t.Helper()
	var l net.Listener
	err := n.in(member, func() (err error) {
		l, err = net.Listen("tcp", netip.AddrPortFrom(n.address(member), 0).String())
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	echoOn(t, l)
	return l.Addr().String()
}

// dial connects from a member.
func (n *namespaces) dial(member int, address string, timeout time.Duration) (c net.Conn, err error) {
	err = n.in(member, func() (err error) {
		c, err = net.DialTimeout("tcp", address, timeout)
		return err
	})
	return c, err
}

func (n *namespaces) call(t *testing.T, member int, address string) *caller {
	t.Helper()
	c, err := n.dial(member, address, 5*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	if got := c.LocalAddr().(*net.TCPAddr).AddrPort().Addr(); got != n.address(member) {
		t.Fatalf("member %d calls from %v, want %v", member, got, n.address(member))
	}
	return &caller{t, c, bufio.NewReader(c)}
}

// TestNamespacesCut: a cut is silent, for connections that are there and for those that would be made; nobody else is
// touched; and what was held up goes on afterwards.
func TestNamespacesCut(t *testing.T) {
	there, back := direction{0, 1}, direction{1, 0}
	for name, cut := range map[string][]direction{"there": {there}, "back": {back}, "both": {there, back}} {
		t.Run(name, func(t *testing.T) {
			n := testNamespaces(t)
			second, third := n.serve(t, 1), n.serve(t, 2)
			c := n.call(t, 0, second)
			c.wantEcho("before")
			n.setCut(true, false, cut...)
			c.say("held")
			if got, err := c.hear(silence); got != "" || err != nil {
				t.Fatalf("heard %q, %v through a cut", got, err)
			}
			_, err := n.dial(0, second, silence)
			if netErr := net.Error(nil); !errors.As(err, &netErr) || !netErr.Timeout() {
				t.Fatalf("a dial over a cut link: %v, want that nobody answers", err)
			}
			call(t, "http://"+second).wantEcho("a client is not cut off")
			n.call(t, 0, third).wantEcho("nor are other members")
			n.call(t, 2, second).wantEcho("nor they from this one")
			n.setCut(false, false, cut...)
			if got, err := c.hear(5 * time.Second); got != "held" {
				t.Fatalf("heard %q, %v after the cut", got, err)
			}
			n.call(t, 0, second).wantEcho("after")
		})
	}
}

// TestNamespacesCutOneWay: datagrams, which nobody answers, pass in one direction only.
func TestNamespacesCutOneWay(t *testing.T) {
	n := testNamespaces(t)
	sockets := make([]net.PacketConn, 2)
	for i := range sockets {
		err := n.in(i, func() (err error) {
			sockets[i], err = net.ListenPacket("udp", netip.AddrPortFrom(n.address(i), 4000).String())
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { sockets[i].Close() })
	}
	passes := func(from, to int) bool {
		if _, err := sockets[from].WriteTo([]byte("x"), sockets[to].LocalAddr()); err != nil {
			t.Fatal(err)
		}
		_ = sockets[to].SetReadDeadline(time.Now().Add(silence))
		_, _, err := sockets[to].ReadFrom(make([]byte, 9))
		return err == nil
	}
	for _, c := range []struct {
		cut         []direction
		there, back bool
	}{
		{nil, true, true},
		{[]direction{{0, 1}}, false, true},
		{[]direction{{1, 0}}, true, false},
		{[]direction{{0, 1}, {1, 0}}, false, false},
	} {
		n.heal()
		n.setCut(true, false, c.cut...)
		if there, back := passes(0, 1), passes(1, 0); there != c.there || back != c.back {
			t.Errorf("with %v cut, what is sent arrives there: %v, back: %v", c.cut, there, back)
		}
	}
}

func TestNamespacesSever(t *testing.T) {
	n := testNamespaces(t)
	address := n.serve(t, 1)
	c := n.call(t, 0, address)
	c.wantEcho("before")
	n.setCut(true, true, direction{1, 0})
	c.say("broken")
	if _, err := c.hear(5 * time.Second); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("read: %v, want that the connection was reset", err)
	}
	if _, err := n.dial(0, address, 5*time.Second); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("dial: %v, want that it is refused", err)
	}
	call(t, "http://"+address).wantEcho("a client is not cut off")
	n.heal()
	n.call(t, 0, address).wantEcho("after")
}

// TestNamespacesHangUp: what was connected is reset, once; what is connected afterwards is not.
func TestNamespacesHangUp(t *testing.T) {
	n := testNamespaces(t)
	address := n.serve(t, 1)
	mine, other := n.call(t, 0, address), n.call(t, 2, address)
	mine.wantEcho("before")
	other.wantEcho("before")
	n.hangUp(0)
	mine.say("broken")
	if _, err := mine.hear(5 * time.Second); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("read: %v, want that the connection was reset", err)
	}
	other.wantEcho("not its own")
	again := n.call(t, 0, address)
	again.wantEcho("after")
	again.wantEcho("and on")
}

func TestNamespacesDelay(t *testing.T) {
	n := testNamespaces(t)
	c := n.call(t, 0, n.serve(t, 1))
	c.wantEcho("before")
	n.setDelay(60*time.Millisecond, direction{0, 1}, direction{1, 0})
	begin := time.Now()
	c.wantEcho("late")
	if took := time.Since(begin); took < 120*time.Millisecond {
		t.Errorf("there and back in %v", took)
	}
	n.heal()
	least := time.Hour
	for range 10 { // a busy machine may be late, but not each time
		begin = time.Now()
		c.wantEcho("soon")
		least = min(least, time.Since(begin))
	}
	if least >= 120*time.Millisecond {
		t.Errorf("still slow: %v", least)
	}
}

// TestManyBytes: large packets pass whole, in both directions at once.
func TestManyBytes(t *testing.T) {
	n := testNamespaces(t)
	c := n.call(t, 0, n.serve(t, 1))
	line := strings.Repeat("a long line,", 200_000)
	go c.say(line)
	if got, err := c.hear(20 * time.Second); got != line {
		t.Errorf("heard %d bytes, %v, want %d", len(got), err, len(line))
	}
}

// TestNamespacesTakeRights: who lacks them is told what to do.
func TestNamespacesTakeRights(t *testing.T) {
	runtime.LockOSThread() // for good: the thread, which has given up its rights, ends with the test
	header, none := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}, [2]unix.CapUserData{}
	if err := unix.Capset(&header, &none[0]); err != nil {
		t.Fatal(err)
	}
	n, err := newNamespaces(1)
	if err == nil {
		n.close()
		t.Fatal("a thread without rights made a network")
	}
	if errors.Is(err, os.ErrNotExist) {
		t.Skip(err)
	}
	if !errors.Is(err, os.ErrPermission) || !strings.Contains(err.Error(), "sudo") || !strings.Contains(err.Error(), "--network proxy") {
		t.Error(err)
	}
}

// device is this process's, by its address.
func device(t *testing.T, a netip.Addr) string {
	t.Helper()
	all, err := net.Interfaces()
	if err != nil {
		t.Fatal(err)
	}
	for _, one := range all {
		addresses, _ := one.Addrs() // of a device that has just gone: none
		for _, its := range addresses {
			if strings.HasPrefix(its.String(), a.String()+"/") {
				return one.Name
			}
		}
	}
	return ""
}

// inhabited tells whether any thread of the machine lives in a namespace, as /proc/PID/ns/net names it.
func inhabited(t *testing.T, namespace string) bool {
	t.Helper()
	links, err := filepath.Glob("/proc/[0-9]*/task/[0-9]*/ns/net")
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range links {
		if its, err := os.Readlink(l); err == nil && its == namespace {
			return true
		}
	}
	return false
}

// TestNamespacesLeaveNothing: neither a device nor a namespace stays after close, and after a kill.
func TestNamespacesLeaveNothing(t *testing.T) {
	n, err := newNamespaces(2)
	if errors.Is(err, os.ErrPermission) || errors.Is(err, os.ErrNotExist) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	own, namespace := n.subnet.Addr().Next(), ""
	err = n.in(0, func() (err error) { namespace, err = os.Readlink("/proc/thread-self/ns/net"); return err })
	if err != nil {
		t.Fatal(err)
	}
	if device(t, own) == "" {
		t.Fatal("no device while it is open")
	}
	n.close()
	if name := device(t, own); name != "" || inhabited(t, namespace) {
		t.Errorf("left: device %q, a namespace that somebody lives in: %v", name, inhabited(t, namespace))
	}
}

// TestTooManyMembers have no addresses.
func TestTooManyMembers(t *testing.T) {
	if _, err := newNamespaces(subnetMembers + 1); err == nil || errors.Is(err, os.ErrPermission) {
		t.Error(err)
	}
}

// TestSecureInNamespaces: a secure cluster lives through silent cuts, kills and new certificates, for which each
// member's own address must be in its certificate.
func TestSecureInNamespaces(t *testing.T) {
	testNamespaces(t) // or the reason why not
	c := secureConfig(t)
	c.Network, c.Faults, c.Length = Namespaces, []Fault{Cut, Delay, Kill, Renew}, 8*time.Second
	round := passes(t, c).Rounds[0]
	t.Log(round)
	if f := round.Faults; f[cutOff]+f[cutOneWay]+f[cutPair] == 0 || round.Elections == 0 || round.Tally.OK < 500 {
		t.Errorf("too little happened to mean anything: %v, %v", round, f)
	}
}

// killedVariable tells the test binary to be a run that is killed.
const killedVariable = "HOLDFAST_TEST_NAMESPACES"

// TestKilledRunLeavesNothing: the run is killed while a process lives in one of its namespaces.
func TestKilledRunLeavesNothing(t *testing.T) {
	if os.Getenv(killedVariable) != "" {
		beKilled(t)
	}
	testNamespaces(t) // or the reason why not
	run := exec.Command(os.Args[0], "-test.run=^TestKilledRunLeavesNothing$")
	run.Env = append(os.Environ(), killedVariable+"=yes")
	out, err := run.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := run.Start(); err != nil {
		t.Fatal(err)
	}
	var address, namespace string
	if _, err := fmt.Fscan(out, &address, &namespace); err != nil {
		t.Fatal(err)
	}
	own := netip.MustParseAddr(address)
	if device(t, own) == "" || !inhabited(t, namespace) {
		t.Fatal("the run has no device, or no process in its namespace")
	}
	_ = run.Process.Kill()
	_ = run.Wait()
	for end := time.Now().Add(10 * time.Second); device(t, own) != "" || inhabited(t, namespace); {
		if time.Now().After(end) {
			t.Fatalf("left: device %q, a namespace that somebody lives in: %v", device(t, own), inhabited(t, namespace))
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// beKilled says what it has made, and waits.
func beKilled(t *testing.T) {
	n, err := newNamespaces(1)
	if err != nil {
		t.Fatal(err)
	}
	child := exec.Command("sleep", "60")
	child.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := n.in(0, child.Start); err != nil {
		t.Fatal(err)
	}
	namespace, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/net", child.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	fmt.Println(n.subnet.Addr().Next(), namespace)
	_ = child.Wait()
	os.Exit(1)
}

package torture

import (
	"fmt"
	"net"
	"net/url"
	"slices"
	"sync"
	"time"

	"github.com/holdfast-db/holdfast/internal/proc"
)

// proxies are the network on loopback: each member advertises the address of a gateway, an in-process TCP proxy, and
// what one member sends to another can be cut or delayed there, each direction for itself.
//
//	n1 ──dials──▶ gateway of n2 ──▶ n2's peer port
//	   ═ bytes 1→2 ═▶         ═▶      held while 1→2 is cut
//	   ◀═ bytes 2→1 ═        ◀═       held while 2→1 is cut
//
// Who dialled is found by asking the kernel which process owns the other end. A cut holds bytes back, the end of a
// connection too, as a dead link does: they arrive when it is mended. But the gateway, which is not cut off, accepts
// and acknowledges what it then holds.
type proxies struct {
	*condition
	mu       sync.Mutex
	gateways []*gateway // by member, as they were given out; a member added later adds one
	closed   bool
}

func newProxies() *proxies { return &proxies{condition: newCondition()} }

func (n *proxies) lay(o *proc.Options) {
	o.PeerURL = n.add
	prepare := o.Prepare
	o.Prepare = func(members []*proc.Member) {
		n.own(members)
		if prepare != nil {
			prepare(members)
		}
	}
}

// add puts a gateway in front of a peer port and returns the URL to advertise. The member is named to it afterwards,
// by own, since a member's flags hold this URL.
func (n *proxies) add(listenURL string) (string, error) {
	u, err := url.Parse(listenURL)
	if err != nil {
		return "", err
	}
	port, err := proc.FreePort()
	if err != nil {
		return "", err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	g := &gateway{network: n, index: len(n.gateways), target: u.Host, address: fmt.Sprintf("127.0.0.1:%d", port), open: map[*pair]bool{}}
	n.gateways = append(n.gateways, g)
	return u.Scheme + "://" + g.address, g.listen()
}

// own tells which member a gateway belongs to; members are in the order of their gateways.
func (n *proxies) own(members []*proc.Member) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for i, m := range members {
		n.gateways[i].member = m
	}
}

func (n *proxies) setCut(cut, sever bool, ds ...direction) {
	n.condition.setCut(cut, sever, ds...)
	if cut && sever {
		for _, g := range n.all() {
			g.sever()
		}
	}
}

func (n *proxies) all() []*gateway {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.Clone(n.gateways)
}

func (n *proxies) isClosed() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.closed
}

// down makes a member's gateway refuse, as the port of a killed process does; up lets it listen again. Calls for a
// member without a gateway do nothing.
func (n *proxies) down(member int) { n.each(member, func(g *gateway) error { g.refuse(); return nil }) }

func (n *proxies) up(member int) error { return n.each(member, (*gateway).listen) }

func (n *proxies) each(member int, f func(*gateway) error) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if member >= len(n.gateways) {
		return nil
	}
	return f(n.gateways[member])
}

// close ends all gateways and connections.
func (n *proxies) close() {
	n.mu.Lock()
	n.closed = true
	for _, g := range n.gateways {
		g.refuse()
	}
	n.mu.Unlock()
	for _, g := range n.all() {
		g.hangUp(func(*pair) bool { return true })
		g.running.Wait()
	}
}

// gateway accepts for one member.
type gateway struct {
	network *proxies
	index   int
	member  *proc.Member
	address string // it listens here
	target  string // the member's peer port

	listener net.Listener // guarded by network.mu; nil while it refuses

	mu      sync.Mutex
	open    map[*pair]bool
	running sync.WaitGroup
}

// listen opens the port; the caller holds network.mu. A gateway that listens already stays as it is.
func (g *gateway) listen() error {
	if g.listener != nil || g.network.closed {
		return nil
	}
	l, err := net.Listen("tcp", g.address)
	if err != nil {
		return fmt.Errorf("torture: the gateway of a member: %w", err)
	}
	g.listener = l
	g.running.Go(func() { g.accept(l) })
	return nil
}

// refuse closes the port; the caller holds network.mu.
func (g *gateway) refuse() {
	if g.listener != nil {
		g.listener.Close()
		g.listener = nil
	}
}

func (g *gateway) accept(l net.Listener) {
	for {
		c, err := l.Accept()
		if err != nil {
			return // closed by refuse
		}
		g.running.Go(func() { g.serve(c.(*net.TCPConn)) })
	}
}

// serve carries one connection to its end.
func (g *gateway) serve(c *net.TCPConn) {
	out := direction{g.caller(c), g.index}
	if g.network.isSevered(out) {
		reset(c)
		return
	}
	b, err := net.DialTimeout("tcp", g.target, time.Second)
	if err != nil {
		reset(c)
		return
	}
	p := &pair{network: g.network, out: out, dialler: c, member: b.(*net.TCPConn), done: make(chan struct{})}
	g.mu.Lock()
	g.open[p] = true
	g.mu.Unlock()
	if g.network.isClosed() {
		p.end()
	}
	p.carry()
	g.mu.Lock()
	delete(g.open, p)
	g.mu.Unlock()
}

// caller finds the member that dialled, −1 if it can't be told.
func (g *gateway) caller(c *net.TCPConn) int {
	g.network.mu.Lock()
	var pids []int
	for _, other := range g.network.gateways {
		pid := 0
		if other.member != nil {
			pid = other.member.Pid()
		}
		pids = append(pids, pid)
	}
	g.network.mu.Unlock()
	return socketOwner(c.RemoteAddr().(*net.TCPAddr).Port, c.LocalAddr().(*net.TCPAddr).Port, pids)
}

// hangUp breaks all connections of a member with others; they dial again.
func (n *proxies) hangUp(member int) {
	for _, g := range n.all() {
		g.hangUp(func(p *pair) bool { return p.out.from == member || p.out.to == member })
	}
}

// sever breaks the connections whose directions are severed.
func (g *gateway) sever() {
	g.hangUp(func(p *pair) bool { return g.network.isSevered(p.out) })
}

func (g *gateway) hangUp(which func(*pair) bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for p := range g.open {
		if which(p) {
			p.end()
		}
	}
}

// reset closes a connection so that its other end reads "connection reset".
func reset(c *net.TCPConn) {
	_ = c.SetLinger(0)
	_ = c.Close()
}

// pair is a connection through a gateway.
type pair struct {
	network         *proxies
	out             direction // of the bytes that the dialler sends
	dialler, member *net.TCPConn
	once            sync.Once
	done            chan struct{}
}

func (p *pair) end() {
	p.once.Do(func() {
		close(p.done)
		reset(p.dialler)
		reset(p.member)
	})
}

// carry moves bytes both ways until one end closes.
func (p *pair) carry() {
	var wg sync.WaitGroup
	wg.Go(func() { p.pump(p.dialler, p.member, p.out) })
	wg.Go(func() { p.pump(p.member, p.dialler, p.out.back()) })
	wg.Wait()
	p.end()
}

// The bytes that a direction holds while it is delayed are bounded, as those in flight on a link are.
const (
	pieceBytes = 32 << 10
	piecesMax  = 64
)

// piece is bytes in flight.
type piece struct {
	bytes []byte
	due   time.Time
}

// pump moves what src sends to dst, later by the direction's delay and not while it is cut. At the end of src it
// delivers what is in flight, then ends the connection.
func (p *pair) pump(src, dst *net.TCPConn, d direction) {
	flight := make(chan piece, piecesMax)
	go func() {
		defer close(flight)
		buffer := make([]byte, pieceBytes)
		for {
			n, err := src.Read(buffer)
			if n > 0 {
				one := piece{append([]byte(nil), buffer[:n]...), time.Now().Add(p.network.delayOf(d))}
				select {
				case flight <- one:
				case <-p.done:
					return
				}
			}
			if err != nil {
				return
			}
		}
	}()
	defer p.end()
	for one := range flight {
		if !p.sleep(time.Until(one.due)) || !p.network.wait(d, p.done) {
			return
		}
		if _, err := dst.Write(one.bytes); err != nil {
			return
		}
	}
	p.network.wait(d, p.done) // a link that is dead doesn't tell of the end either
}

func (p *pair) sleep(d time.Duration) bool {
	if d <= 0 {
		return true
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-p.done:
		return false
	}
}

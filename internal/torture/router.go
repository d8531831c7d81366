package torture

import (
	"io"
	"slices"
	"sync"
	"time"
)

// packetMax is the largest packet that a device takes: a jumbo frame's, so that fewer pass through this process.
const packetMax = 9000

// linePackets bounds what is in flight in one direction, as a queue of a real link is bounded; the rest is lost.
const linePackets = 512

// router carries IP packets between the devices of members and of this process, which have neighbouring addresses: each
// packet goes to the device that its last byte names. It is where packets of a cut direction vanish.
//
//	n1's namespace        this process         n2's namespace
//	TCP ─ device ──▶ read ─ line 1→2 ─ write ──▶ device ─ TCP
//
// A kernel's own ways to delay packets are not in every kernel (netem) or take a tool of the distribution's (nftables);
// TUN devices are, and what is done here is the same everywhere.
type router struct {
	*condition
	first   byte // last byte of the first device's address
	devices []io.ReadWriteCloser
	member  func(device int) int // client for this process's
	lines   map[direction]chan parcel
	done    chan struct{}
	running sync.WaitGroup

	flowsMu sync.Mutex
	flows   map[flow]int      // the breaks of its pair of members when a connection began
	breaks  map[direction]int // by pair of members, the lower one first
}

// parcel is a packet in flight.
type parcel struct {
	bytes []byte
	due   time.Time
}

func newRouter(first byte, devices []io.ReadWriteCloser, member func(device int) int) *router {
	r := &router{condition: newCondition(), first: first, devices: devices, member: member,
		lines: map[direction]chan parcel{}, done: make(chan struct{}), flows: map[flow]int{}, breaks: map[direction]int{}}
	for from := range devices {
		for to := range devices {
			if from != to {
				line := make(chan parcel, linePackets)
				r.lines[direction{from, to}] = line
				r.running.Go(func() { r.deliver(direction{member(from), member(to)}, line, devices[to]) })
			}
		}
	}
	for from := range devices {
		r.running.Go(func() { r.receive(from) })
	}
	return r
}

// close ends the router and its devices.
func (r *router) close() {
	close(r.done)
	for _, d := range r.devices {
		d.Close()
	}
	r.running.Wait()
}

// receive takes what a device sends until it is closed.
func (r *router) receive(from int) {
	buffer := make([]byte, packetMax)
	for {
		n, err := r.devices[from].Read(buffer)
		if err != nil {
			return
		}
		r.route(from, slices.Clone(buffer[:n]))
	}
}

// route puts a packet on its line, or answers it with the end of its connection.
func (r *router) route(from int, packet []byte) {
	to, ok := destination(packet, r.first)
	if !ok || to >= len(r.devices) || to == from {
		return
	}
	d := direction{r.member(from), r.member(to)}
	if d.from >= 0 && d.to >= 0 && r.broken(d, packet) {
		r.reset(from, to, packet)
		return
	}
	select {
	case r.lines[direction{from, to}] <- parcel{packet, time.Now().Add(r.delayOf(d))}:
	default:
	}
}

// deliver hands a line's packets over, each at its time. What arrives while the direction is cut is lost.
func (r *router) deliver(d direction, line <-chan parcel, to io.Writer) {
	for {
		select {
		case one := <-line:
			if wait := time.Until(one.due); wait > 0 {
				select {
				case <-time.After(wait):
				case <-r.done:
					return
				}
			}
			if !r.isCut(d) {
				_, _ = to.Write(one.bytes) // a packet that a device doesn't take is lost
			}
		case <-r.done:
			return
		}
	}
}

// hangUp breaks all connections between a member and others: each at its next packet.
func (r *router) hangUp(member int) {
	r.flowsMu.Lock()
	defer r.flowsMu.Unlock()
	for i := range r.devices {
		if other := r.member(i); other >= 0 && other != member {
			r.breaks[pairOf(direction{member, other})]++
		}
	}
}

// broken tells whether a packet belongs to a connection that was broken, or that the condition of its direction forbids.
func (r *router) broken(d direction, packet []byte) bool {
	s, ok := parseSegment(packet)
	if !ok {
		return false
	}
	if r.isSevered(d) {
		return s.flags&flagRST == 0
	}
	if r.isCut(d) {
		return false
	}
	r.flowsMu.Lock()
	defer r.flowsMu.Unlock()
	breaks, key := r.breaks[pairOf(d)], s.flow()
	if s.flags&(flagSYN|flagACK) == flagSYN {
		r.flows[key] = breaks
		return false
	}
	began, known := r.flows[key]
	if s.flags&flagRST != 0 || known && began < breaks {
		delete(r.flows, key)
	}
	return known && began < breaks && s.flags&flagRST == 0
}

// reset tells both ends of a packet's connection that it is over.
func (r *router) reset(from, to int, packet []byte) {
	s, _ := parseSegment(packet)
	_, _ = r.devices[from].Write(s.answer())
	if s.flags&flagSYN == 0 {
		_, _ = r.devices[to].Write(s.abort())
	}
}

func pairOf(d direction) direction { return direction{min(d.from, d.to), max(d.from, d.to)} }

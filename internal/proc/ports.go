package proc

import (
	"fmt"
	"math/rand/v2"
	"net"
	"sync"
)

// The ports lie under 32768, where Linux begins to draw ports for outgoing connections (ip_local_port_range), and
// above those that well-known services use.
const (
	portFirst     = 12000
	portBlockSize = 50
	portBlocks    = 380 // the last block ends at 30,999
)

// ports hands out loopback ports from blocks that this process holds until it ends.
var ports = struct {
	sync.Mutex
	anchors []net.Listener // never closed: each proves that its block is ours
	next    int            // the next port to give out, 0 before the first block
	end     int            // the first port past the current block
}{}

// FreePort returns a loopback TCP port that no other process that uses this package will be given, and on which
// nothing listens at this moment.
func FreePort() (int, error) {
	ports.Lock()
	defer ports.Unlock()
	for {
		if ports.next == ports.end {
			if err := reserveBlock(); err != nil {
				return 0, err
			}
		}
		port := ports.next
		ports.next++
		l, err := listenLoopback(port)
		if err != nil {
			continue // something foreign sits there
		}
		l.Close()
		return port, nil
	}
}

// reserveBlock takes a block that nobody holds. It starts at a random one so that tests that start together do
// not all walk over the same blocks.
func reserveBlock() error {
	first := rand.IntN(portBlocks)
	for i := range portBlocks {
		base := portFirst + (first+i)%portBlocks*portBlockSize
		anchor, err := listenLoopback(base)
		if err != nil {
			continue
		}
		ports.anchors = append(ports.anchors, anchor)
		ports.next, ports.end = base+1, base+portBlockSize
		return nil
	}
	return fmt.Errorf("proc: no free block of ports in %d..%d", portFirst, portFirst+portBlocks*portBlockSize-1)
}

func listenLoopback(port int) (net.Listener, error) {
	return net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
}

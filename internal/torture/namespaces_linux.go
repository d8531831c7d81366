package torture

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"runtime"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/holdfast-db/holdfast/internal/proc"
)

// namespaces are the network in which each member's process has a network namespace, and so an address, of its own. A
// router in this process carries packets between them, and to this process.
//
//	198.18.7.1 this process    198.18.7.2 n1    198.18.7.3 n2    198.18.7.4 n3
//	       └───────────────┴── router ──┴────────────────┘
//
// Namespaces have no names: only file descriptors of this process, and the members, hold them. So the kernel removes
// them, and all devices, when this process ends, in whatever way, and nothing is left to disturb the next run.
type namespaces struct {
	*router
	subnet netip.Prefix
	home   *os.File   // the namespace of this process
	rooms  []*os.File // those of members
}

// newNamespaces makes namespaces for so many members, in the first subnet that nobody has.
func newNamespaces(members int) (_ *namespaces, err error) {
	if members > subnetMembers {
		return nil, fmt.Errorf("torture: a network of namespaces has room for %d members, not %d", subnetMembers, members)
	}
	n := &namespaces{}
	var devices []io.ReadWriteCloser
	defer func() {
		if err != nil {
			for _, d := range devices {
				d.Close()
			}
			n.leave()
			err = fmt.Errorf("torture: a network of namespaces: %w", advise(err))
		}
	}()
	if n.home, err = os.Open("/proc/thread-self/ns/net"); err != nil {
		return nil, err
	}
	d, err := n.attach()
	if err != nil {
		return nil, err
	}
	devices = append(devices, d)
	for i := range members {
		if d, err = n.furnish(n.address(i)); err != nil {
			return nil, err
		}
		devices = append(devices, d)
	}
	first := n.subnet.Addr().Next().As4()[3]
	n.router = newRouter(first, devices, owner)
	return n, nil
}

// owner of a device: this process made the first one for itself.
func owner(device int) int {
	if device == 0 {
		return client
	}
	return device - 1
}

// advise says what to do about an error.
func advise(err error) error {
	switch {
	case errors.Is(err, os.ErrPermission):
		return fmt.Errorf("%w: it takes the rights of root (CAP_SYS_ADMIN and CAP_NET_ADMIN); use sudo, or --network proxy", err)
	case errors.Is(err, os.ErrNotExist):
		return fmt.Errorf("%w: the kernel must have network namespaces and TUN devices (modprobe tun); or use --network proxy", err)
	}
	return err
}

// attach gives this process a device of its own in a subnet that nobody else has.
func (n *namespaces) attach() (io.ReadWriteCloser, error) {
	var err error
	for range subnetTries {
		if n.subnet, err = freeSubnet(); err != nil {
			return nil, err
		}
		d, err := newDevice("holdfast%d", netip.PrefixFrom(n.subnet.Addr().Next(), n.subnet.Bits()))
		if err != nil {
			return nil, err
		}
		// Another run may have looked at the same moment: then both see it, and both try again.
		if others, err := taken(n.subnet); err == nil && others == 1 {
			return d, nil
		}
		d.Close()
	}
	return nil, fmt.Errorf("no subnet of %v is free", testNets)
}

// furnish makes a namespace for the next member, with a loopback device and one to the router.
func (n *namespaces) furnish(address netip.Addr) (d io.ReadWriteCloser, err error) {
	err = n.elsewhere(func() error {
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			return os.NewSyscallError("unshare", err)
		}
		room, err := os.Open("/proc/thread-self/ns/net")
		if err != nil {
			return err
		}
		n.rooms = append(n.rooms, room)
		if err := turnOn("lo"); err != nil {
			return err
		}
		d, err = newDevice("eth0", netip.PrefixFrom(address, n.subnet.Bits()))
		return err
	})
	return d, err
}

// elsewhere runs f on a thread that may change its namespace, and brings the thread back. One that can't come back is
// not used again; its children die with it.
func (n *namespaces) elsewhere(f func() error) error {
	runtime.LockOSThread()
	err := f()
	if back := unix.Setns(int(n.home.Fd()), unix.CLONE_NEWNET); back != nil {
		return errors.Join(err, os.NewSyscallError("setns", back))
	}
	runtime.UnlockOSThread()
	return err
}

// address of a member. This process has the first one.
func (n *namespaces) address(member int) netip.Addr {
	a := n.subnet.Addr().Next()
	for range member + 1 {
		a = a.Next()
	}
	return a
}

// in runs f in a member's namespace.
func (n *namespaces) in(member int, f func() error) error {
	return n.elsewhere(func() error {
		if err := unix.Setns(int(n.rooms[member].Fd()), unix.CLONE_NEWNET); err != nil {
			return os.NewSyscallError("setns", err)
		}
		return f()
	})
}

func (n *namespaces) lay(o *proc.Options) {
	o.Host = func(member int) string { return n.address(member).String() }
	o.Spawn = n.in
}

// reachTimeout bounds a first connection attempt to each member's namespace, which nothing but this process delays.
const reachTimeout = 5 * time.Second

// reachable sees to it that this process can talk to each namespace: where nothing listens yet, it is refused.
func (n *namespaces) reachable() error {
	for i := range n.rooms {
		address := netip.AddrPortFrom(n.address(i), 1).String()
		c, err := net.DialTimeout("tcp", address, reachTimeout)
		if err == nil {
			c.Close()
		} else if !errors.Is(err, syscall.ECONNREFUSED) {
			return fmt.Errorf("torture: a namespace can't be reached from this one (a firewall? or use --network proxy): %w", err)
		}
	}
	return nil
}

// down and up have nothing to do: the kernel refuses for a process that is gone.
func (n *namespaces) down(int) {}

func (n *namespaces) up(int) error { return nil }

func (n *namespaces) close() {
	n.router.close()
	n.leave()
}

func (n *namespaces) leave() {
	for _, room := range n.rooms {
		room.Close()
	}
	if n.home != nil {
		n.home.Close()
	}
}

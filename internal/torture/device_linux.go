package torture

import (
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"

	"golang.org/x/sys/unix"
)

// testNets is the range of addresses that is set aside for tests of networks (RFC 2544), so that no real network has it.
// A run takes a subnet of subnetBits of it.
var testNets = netip.MustParsePrefix("198.18.0.0/15")

const (
	subnetBits    = 28
	subnetMembers = 1<<(32-subnetBits) - 3 // besides this process, and the first and last address, which are nobody's
	subnetTries   = 20
)

// freeSubnet finds one in which this machine has no address.
func freeSubnet() (netip.Prefix, error) {
	for range subnetTries {
		a := testNets.Addr().As4()
		offset := rand.Uint32N(1<<(subnetBits-testNets.Bits())) << (32 - subnetBits)
		a[1], a[2], a[3] = a[1]|byte(offset>>16), byte(offset>>8), byte(offset)
		subnet := netip.PrefixFrom(netip.AddrFrom4(a), subnetBits)
		others, err := taken(subnet)
		if err != nil {
			return netip.Prefix{}, err
		}
		if others == 0 {
			return subnet, nil
		}
	}
	return netip.Prefix{}, fmt.Errorf("no subnet of %v is free", testNets)
}

// taken counts this machine's addresses whose networks have addresses in common with a subnet.
func taken(subnet netip.Prefix) (int, error) {
	addresses, err := net.InterfaceAddrs()
	if err != nil {
		return 0, err
	}
	count := 0
	for _, a := range addresses {
		if p, err := netip.ParsePrefix(a.String()); err == nil && p.Overlaps(subnet) {
			count++
		}
	}
	return count, nil
}

// newDevice makes a TUN device in the calling thread's namespace: what it sends is read from the file, and what is
// written there it receives. It is there until the file is closed. A %d in the name is a number that the kernel picks.
func newDevice(name string, address netip.Prefix) (*os.File, error) {
	fd, err := unix.Open("/dev/net/tun", unix.O_RDWR|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: "/dev/net/tun", Err: err}
	}
	r, err := unix.NewIfreq(name)
	if err != nil {
		unix.Close(fd)
		return nil, err
	}
	r.SetUint16(unix.IFF_TUN | unix.IFF_NO_PI)
	if err := unix.IoctlIfreq(fd, unix.TUNSETIFF, r); err != nil {
		unix.Close(fd)
		return nil, os.NewSyscallError("TUNSETIFF", err)
	}
	d := os.NewFile(uintptr(fd), r.Name()) // after TUNSETIFF: the poller can't wait for a file without a device
	if err := configure(r.Name(), address); err != nil {
		d.Close()
		return nil, err
	}
	return d, nil
}

// configure gives a device its address, which it knows as one of a subnet, and turns it on.
func configure(name string, address netip.Prefix) error {
	mask := net.CIDRMask(address.Bits(), 32)
	for _, step := range []struct {
		name    string
		request uint
		value   func(*unix.Ifreq) error
	}{
		{"SIOCSIFMTU", unix.SIOCSIFMTU, func(r *unix.Ifreq) error { r.SetUint32(packetMax); return nil }},
		{"SIOCSIFADDR", unix.SIOCSIFADDR, func(r *unix.Ifreq) error { return r.SetInet4Addr(address.Addr().AsSlice()) }},
		{"SIOCSIFNETMASK", unix.SIOCSIFNETMASK, func(r *unix.Ifreq) error { return r.SetInet4Addr(mask) }},
	} {
		if err := control(name, step.name, step.request, step.value); err != nil {
			return err
		}
	}
	return turnOn(name)
}

func turnOn(name string) error {
	return control(name, "SIOCSIFFLAGS", unix.SIOCSIFFLAGS, func(r *unix.Ifreq) error {
		r.SetUint16(unix.IFF_UP | unix.IFF_RUNNING)
		return nil
	})
}

// control asks the kernel, in the calling thread's namespace, to change a device.
func control(device, name string, request uint, value func(*unix.Ifreq) error) error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return os.NewSyscallError("socket", err)
	}
	defer unix.Close(fd)
	r, err := unix.NewIfreq(device)
	if err != nil {
		return err
	}
	if err := value(r); err != nil {
		return err
	}
	return os.NewSyscallError(name, unix.IoctlIfreq(fd, request, r))
}

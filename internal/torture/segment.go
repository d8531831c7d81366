package torture

import "encoding/binary"

// Bits of a TCP header's flags (RFC 9293, 3.1).
const (
	flagFIN = 1 << iota
	flagSYN
	flagRST
	_
	flagACK
)

const (
	ipHeader  = 20 // without options
	tcpHeader = 20
	tcpNumber = 6 // TCP's protocol number in IP
)

// destination is the device that a packet goes to, by the last byte of its address.
func destination(packet []byte, first byte) (device int, ok bool) {
	if len(packet) < ipHeader || packet[0]>>4 != 4 || packet[19] < first {
		return 0, false
	}
	return int(packet[19] - first), true
}

// segment is what a router has to know of a TCP segment in an IPv4 packet.
type segment struct {
	from, to         [4]byte
	fromPort, toPort uint16
	sequence, ack    uint32
	flags            byte
	length           uint32 // in sequence numbers
}

// flow names a connection, the same for both its directions.
type flow struct {
	low, high         [4]byte
	lowPort, highPort uint16
}

func parseSegment(packet []byte) (s segment, ok bool) {
	if len(packet) < ipHeader || packet[0]>>4 != 4 || packet[9] != tcpNumber {
		return s, false
	}
	if binary.BigEndian.Uint16(packet[6:])&0x1fff != 0 { // a fragment behind the first has no header
		return s, false
	}
	start := int(packet[0]&15) * 4
	if start < ipHeader || len(packet) < start+tcpHeader {
		return s, false
	}
	tcp := packet[start:]
	s.from, s.to = [4]byte(packet[12:16]), [4]byte(packet[16:20])
	s.fromPort, s.toPort = binary.BigEndian.Uint16(tcp), binary.BigEndian.Uint16(tcp[2:])
	s.sequence, s.ack, s.flags = binary.BigEndian.Uint32(tcp[4:]), binary.BigEndian.Uint32(tcp[8:]), tcp[13]
	s.length = uint32(max(len(tcp)-int(tcp[12]>>4)*4, 0))
	if s.flags&(flagSYN|flagFIN) != 0 {
		s.length++
	}
	return s, true
}

func (s segment) flow() flow {
	a := flow{s.from, s.to, s.fromPort, s.toPort}
	if string(s.from[:]) > string(s.to[:]) {
		a = flow{s.to, s.from, s.toPort, s.fromPort}
	}
	return a
}

// answer is the reset that the sender of a segment gets: as a host answers that has no such connection (RFC 9293,
// 3.10.7.1).
func (s segment) answer() []byte {
	back := segment{from: s.to, to: s.from, fromPort: s.toPort, toPort: s.fromPort, sequence: s.ack, flags: flagRST}
	if s.flags&flagACK == 0 {
		back.sequence, back.ack, back.flags = 0, s.sequence+s.length, flagRST|flagACK
	}
	return back.packet()
}

// abort is a reset in place of the segment, for its receiver. One that expects another number asks its peer, and hears
// of it from there.
func (s segment) abort() []byte {
	s.flags = flagRST | s.flags&flagACK
	return s.packet()
}

// packet is a segment without options and data, in an IPv4 packet.
func (s segment) packet() []byte {
	p := make([]byte, ipHeader+tcpHeader)
	p[0], p[8], p[9] = 4<<4|ipHeader/4, 64, tcpNumber
	binary.BigEndian.PutUint16(p[2:], uint16(len(p)))
	copy(p[12:], s.from[:])
	copy(p[16:], s.to[:])
	binary.BigEndian.PutUint16(p[10:], checksum(p[:ipHeader], 0))
	tcp := p[ipHeader:]
	binary.BigEndian.PutUint16(tcp, s.fromPort)
	binary.BigEndian.PutUint16(tcp[2:], s.toPort)
	binary.BigEndian.PutUint32(tcp[4:], s.sequence)
	binary.BigEndian.PutUint32(tcp[8:], s.ack)
	tcp[12], tcp[13] = tcpHeader/4<<4, s.flags
	// The pseudo-header: both addresses, the protocol, the length (RFC 9293, 3.1).
	binary.BigEndian.PutUint16(tcp[16:], checksum(p[12:], tcpNumber+tcpHeader))
	return p
}

// checksum of 16-bit words, as IP and TCP have it (RFC 1071). The number of bytes must be even.
func checksum(b []byte, sum uint32) uint16 {
	for ; len(b) > 1; b = b[2:] {
		sum += uint32(binary.BigEndian.Uint16(b))
	}
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	return ^uint16(sum)
}

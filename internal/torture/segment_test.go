package torture

import "testing"

// A segment of n1 to n2 with ten bytes of data, and a first one.
var (
	dataSegment  = segment{from: [4]byte{198, 18, 0, 2}, to: [4]byte{198, 18, 0, 3}, fromPort: 40000, toPort: 2380, sequence: 0xfffffffa, ack: 77, flags: flagACK, length: 10}
	firstSegment = segment{from: dataSegment.from, to: dataSegment.to, fromPort: 40000, toPort: 2380, sequence: 5, flags: flagSYN, length: 1}
)

func TestSegmentIsRead(t *testing.T) {
	for _, want := range []segment{dataSegment, firstSegment} {
		packet := want.packet()
		if want.flags&flagSYN == 0 {
			packet = append(packet, make([]byte, want.length)...)
		}
		if got, ok := parseSegment(packet); !ok || got != want {
			t.Errorf("read %+v, %v, want %+v", got, ok, want)
		}
		if to, ok := destination(packet, 1); !ok || to != 2 {
			t.Errorf("goes to device %d, %v", to, ok)
		}
		if sum := checksum(packet[:ipHeader], 0); sum != 0 {
			t.Errorf("the header's checksum is wrong by %x", sum)
		}
		if sum := checksum(packet[12:ipHeader+tcpHeader], tcpNumber+tcpHeader); sum != 0 {
			t.Errorf("the segment's checksum is wrong by %x", sum)
		}
	}
}

// TestShortPackets: nothing that a device could read may upset the router.
func TestShortPackets(t *testing.T) {
	whole := dataSegment.packet()
	for n := range whole {
		if _, ok := parseSegment(whole[:n]); ok {
			t.Errorf("%d bytes were read as a segment", n)
		}
		if _, ok := destination(whole[:n], 1); ok != (n >= ipHeader) {
			t.Errorf("%d bytes go somewhere: %v", n, ok)
		}
	}
	for at, value := range map[int]byte{0: 6 << 4, 9: 17, 7: 1} { // IPv6, UDP, a fragment
		other := dataSegment.packet()
		other[at] = value
		if _, ok := parseSegment(other); ok {
			t.Errorf("with byte %d = %d it is still a segment", at, value)
		}
	}
}

// TestResetsAreBelieved: a receiver takes a reset only with the number that it waits for.
func TestResetsAreBelieved(t *testing.T) {
	for _, c := range []struct {
		name                  string
		packet                []byte
		from                  [4]byte
		flags                 byte
		wantSequence, wantAck uint32
	}{
		{"to the sender of data", dataSegment.answer(), dataSegment.to, flagRST, 77, 0},
		{"to who begins", firstSegment.answer(), dataSegment.to, flagRST | flagACK, 0, 6},
		{"to the receiver of data", dataSegment.abort(), dataSegment.from, flagRST | flagACK, 0xfffffffa, 77},
	} {
		got, ok := parseSegment(c.packet)
		if !ok || got.from != c.from || got.flags != c.flags || got.sequence != c.wantSequence || got.ack != c.wantAck {
			t.Errorf("%s: %+v, %v", c.name, got, ok)
		}
	}
	if dataSegment.flow() != parsed(t, dataSegment.answer()).flow() {
		t.Error("the two directions of a connection are two flows")
	}
}

func parsed(t *testing.T, packet []byte) segment {
	s, ok := parseSegment(packet)
	if !ok {
		t.Fatal("no segment")
	}
	return s
}

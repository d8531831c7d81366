package transport

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"unicode"

	"github.com/holdfast-db/holdfast/raft"
)

// A Hello is the payload of the first frame in each direction.
//
//	0        8         12      16        24     32    40            48
//	├────────┼─────────┼───────┼─────────┼──────┼─────┼─────────────┼
//	│ magic  │ version │ flags │ cluster │ from │ to  │ incarnation │
//	│ 8 B    │ u32     │ u32   │ u64     │ u64  │ u64 │ u64         │
//	├────────┼─────────┼───────┴─────────┴──────┴─────┴─────────────┤
//	│ boot   │ term    │ durable: term u64, index u64               │
//	│ u64    │ u64     │                                            │
//	48       56        64                                           80
//	├────────┼─────────┼────────────────────────────────────────────┤
//	│ length │ URLs    │ of later versions…                         │
//	│ u16    │         │                                            │
//	80       82        82+length
//
// Bit 0 of flags is Snapshot; other bits, and bytes behind the URLs, belong to
// later versions and are ignored, so that an old member can answer a newer one
// in words.
const helloBytesMin = 82

// helloMagic tells at once that the other end is no peer port at all.
const helloMagic = "HFPEER\r\n"

const helloSnapshot uint32 = 1 << 0

// AppendHello appends the encoding of h. It panics if h.URLs is too long: the
// configuration was checked when the process started.
func AppendHello(dst []byte, h Hello) []byte {
	var flags uint32
	if h.Snapshot {
		flags |= helloSnapshot
	}
	le := binary.LittleEndian
	dst = append(slices.Grow(dst, helloBytesMin+len(h.URLs)), helloMagic...)
	dst = le.AppendUint32(dst, h.Version)
	dst = le.AppendUint32(dst, flags)
	dst = le.AppendUint64(dst, h.Cluster)
	dst = le.AppendUint64(dst, uint64(h.From))
	dst = le.AppendUint64(dst, uint64(h.To))
	dst = le.AppendUint64(dst, uint64(h.Incarnation))
	dst = le.AppendUint64(dst, h.Boot)
	dst = le.AppendUint64(dst, uint64(h.Term))
	dst = appendEntryID(dst, h.Durable)
	if len(h.URLs) > HelloURLsBytesMax {
		panic(fmt.Sprintf("transport: %d bytes of URLs in a hello, at most %d fit", len(h.URLs), HelloURLsBytesMax))
	}
	dst = le.AppendUint16(dst, uint16(len(h.URLs)))
	return append(dst, h.URLs...)
}

// DecodeHello reads a Hello. Errors wrap ErrMalformed. Whether the Hello is
// acceptable is another question: see CheckHello.
func DecodeHello(b []byte) (Hello, error) {
	c := cursor{rest: b}
	if magic := c.bytes(len(helloMagic), "magic"); c.err == nil && string(magic) != helloMagic {
		c.fail("magic %q", magic)
	}
	h := Hello{Version: c.u32("version")}
	h.Snapshot = c.u32("flags")&helloSnapshot != 0
	h.Cluster = c.u64("cluster")
	h.From = raft.NodeID(c.u64("from"))
	h.To = raft.NodeID(c.u64("to"))
	h.Incarnation = raft.Incarnation(c.u64("incarnation"))
	h.Boot = c.u64("boot")
	h.Term = raft.Term(c.u64("term"))
	h.Durable = c.entryID("durable")
	h.URLs = decodeURLs(&c)
	if c.err != nil {
		return Hello{}, fmt.Errorf("hello: %w", c.err)
	}
	return h, nil
}

func decodeURLs(c *cursor) string {
	length := c.u16("URLs length")
	if length > HelloURLsBytesMax {
		c.fail("%d bytes of URLs, at most %d allowed", length, HelloURLsBytesMax)
	}
	return string(c.bytes(int(length), "URLs"))
}

// RefusalCode types the reason of a Refusal for programs.
type RefusalCode uint8

const (
	RefusedVersion     RefusalCode = 1 + iota // no version in common
	RefusedCluster                            // another cluster
	RefusedMember                             // not the member that was dialled
	RefusedUnknownPeer                        // the dialler is not in the address book
	RefusedSelf                               // a member dialled itself
	RefusedIncarnation                        // the dialler's disk is not the one that is bound
	RefusedBusy                               // not now: ask again
	RefusedSnapshot                           // a snapshot that is not wanted, or could not be stored
	RefusedRemoved                            // the dialler was removed from the cluster, for good
	refusalEnd
)

// Refusal tells a dialler why its Hello was not accepted.
type Refusal struct {
	Code   RefusalCode
	Reason string // for people: one line, at most RefusalReasonBytesMax
}

// RefusalReasonBytesMax bounds the words of a refusal.
const RefusalReasonBytesMax = 1024

// Error makes a Refusal usable as the error of a handshake.
func (r *Refusal) Error() string { return "transport: refused by peer: " + r.Reason }

// AppendRefusal appends the code (u8) and then the reason to the end.
func AppendRefusal(dst []byte, r Refusal) []byte {
	reason := r.Reason
	if len(reason) > RefusalReasonBytesMax {
		reason = strings.ToValidUTF8(reason[:RefusalReasonBytesMax], "")
	}
	return append(append(dst, byte(r.Code)), reason...)
}

// DecodeRefusal reads a Refusal. The reason comes from outside and goes to
// logs, so control characters are replaced.
func DecodeRefusal(b []byte) (Refusal, error) {
	if len(b) == 0 || len(b) > 1+RefusalReasonBytesMax || b[0] == 0 || RefusalCode(b[0]) >= refusalEnd {
		return Refusal{}, fmt.Errorf("refusal: %w: %d bytes", ErrMalformed, len(b))
	}
	reason := strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, string(b[1:]))
	return Refusal{Code: RefusalCode(b[0]), Reason: reason}, nil
}

// CheckHello decides whether a member that would say self answers peer's
// Hello with its own (nil) or with a refusal. self.From is the member's id.
// Whether peer.From is known, and its incarnation bound, is the caller's.
func CheckHello(self, peer Hello) *Refusal {
	refuse := func(code RefusalCode, format string, args ...any) *Refusal {
		return &Refusal{Code: code, Reason: fmt.Sprintf(format, args...)}
	}
	switch {
	case peer.Version < ProtocolVersionMin:
		return refuse(RefusedVersion, "protocol version %d is too old, member %v speaks %d to %d",
			peer.Version, self.From, ProtocolVersionMin, self.Version)
	case peer.Cluster != self.Cluster:
		return refuse(RefusedCluster, "member %v belongs to cluster %x, not to %x", self.From, self.Cluster, peer.Cluster)
	case peer.To != self.From:
		return refuse(RefusedMember, "this is member %v, not %v: the address belongs to another member", self.From, peer.To)
	case peer.From == self.From:
		return refuse(RefusedSelf, "member %v dialled itself, or two members have one id", self.From)
	}
	return nil
}

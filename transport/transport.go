package transport

import "github.com/holdfast-db/holdfast/raft"

// Network carries frames between members. Send never blocks and may lose,
// delay, repeat or reorder what it is given; what arrives has the bytes that
// were sent. The real one is transport/tcp, the other one is the simulator's.
type Network interface {
	// Send queues one encoded frame (AppendFrame). The frame must not be
	// modified afterwards.
	Send(to raft.NodeID, frame []byte)
}

// Kind says how a frame's payload is read.
type Kind uint8

const (
	// KindRaft holds one raft.Message (AppendMessage).
	KindRaft Kind = 1 + iota
	// KindForward holds client requests on their way to the leader.
	KindForward
	// KindForwardReply holds their refusals, and answers that don't come
	// through the log (keep-alives, remaining TTLs).
	KindForwardReply
	// KindPing lets an idle link notice that it is dead. Its payload is empty.
	KindPing
	// KindSnapshot marks the frames of a snapshot stream.
	KindSnapshot
	// KindHello is the first frame of a connection in each direction (AppendHello).
	KindHello
	// KindRefusal answers a Hello instead of one (AppendRefusal).
	KindRefusal
	kindEnd
)

// String names the kind as logs and metrics do.
func (k Kind) String() string {
	if k == 0 || k >= kindEnd {
		return "unknown"
	}
	return [...]string{"", "raft", "forward", "forward-reply", "ping", "snapshot", "hello", "refusal"}[k]
}

// PayloadMax is the largest payload of a kind in bytes, 0 for an unknown kind.
// It is checked before anything is allocated.
func (k Kind) PayloadMax() int {
	switch k {
	case KindRaft, KindForward, KindForwardReply:
		// An entry holds a batch of client requests, and an operator may raise
		// --max-request-bytes far above etcd's 1.5 MiB.
		return 64 << 20
	case KindPing:
		return 0
	case KindSnapshot:
		return 1 << 20
	case KindHello, KindRefusal:
		return 4 << 10
	default:
		return 0
	}
}

// Frame is one unit on a link. KindForward and KindForwardReply payloads
// belong to server/replica and are opaque here.
type Frame struct {
	Kind    Kind
	Payload []byte
}

// ProtocolVersion is what this build speaks; ProtocolVersionMin is the oldest
// that it still understands. A link is made if each side's version is at least
// the other's minimum, and speaks the lower of the two.
const (
	ProtocolVersion    uint32 = 1
	ProtocolVersionMin uint32 = 1
)

// HelloURLsBytesMax bounds Hello.URLs.
const HelloURLsBytesMax = 2 << 10

// Hello opens every connection, both ways, before any other frame: a link is
// refused, with a reason in words, if cluster, member or version don't fit.
type Hello struct {
	Version     uint32 // protocol version
	Cluster     uint64
	From, To    raft.NodeID // the dialler, and whom it believes to have dialled
	Incarnation raft.Incarnation
	Boot        uint64
	Snapshot    bool // the connection carries one snapshot stream
	// Term is the sender's, and Durable its last durable entry: for logs. (Whether
	// a disk has forgotten is raft's to find out, from every message: raft.Life.)
	Term    raft.Term
	Durable raft.EntryID
	// URLs is where the sender can be dialled, comma-separated: a member that
	// missed configuration changes learns from it how to answer a leader that
	// it has never heard of. At most HelloURLsBytesMax.
	URLs string
}

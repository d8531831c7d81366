package replica

import (
	"encoding/binary"
	"errors"
	"slices"
	"strings"

	"github.com/holdfast-db/holdfast/raft"
)

// MemberOp is what a MemberChange does.
type MemberOp uint8

const (
	// AddMember adds a member that isn't listed. A voter is added as a learner
	// that is made a voter once it has caught up (raft.Member.Joining): until then
	// it can't cost the quorum, even if it is never started.
	AddMember MemberOp = iota + 1
	// RemoveMember removes a member, the leader included.
	RemoveMember
	// UpdateMember replaces a member's peer URLs.
	UpdateMember
	// PromoteMember makes a voter of a learner that has caught up.
	PromoteMember
)

// MemberChange is a request of kind ChangeMember. The leader checks it against
// the configuration in force when it proposes it, so that what was true when the
// client asked is still true when it takes effect.
type MemberChange struct {
	Op   MemberOp
	ID   raft.NodeID
	URLs []string // of AddMember and UpdateMember; without commas
	// Learner: add a learner, of which there may be LearnersMax then.
	Learner     bool
	LearnersMax uint64
}

// Errors of a MemberChange: it has not happened.
var (
	ErrMemberExists     = errors.New("replica: member ID already exists")
	ErrMemberNotFound   = errors.New("replica: member not found")
	ErrPeerURLExists    = errors.New("replica: peer URL already exists")
	ErrNotLearner       = errors.New("replica: member is not a learner")
	ErrLearnerNotReady  = errors.New("replica: learner is not in sync with the leader")
	ErrTooManyLearners  = errors.New("replica: too many learners")
	ErrBadMemberChange  = errors.New("replica: malformed change of members")
	errMemberChangeOver = errors.New("replica: change of members is under way already")
)

const memberChangeLearner byte = 1

// AppendMemberChange encodes a change for Request.Body and for the wire:
//
//	op u8 | flags u8 (1: learner) | id fixed64 | learners max uvarint | count uvarint | URL: length uvarint, bytes; …
func AppendMemberChange(dst []byte, m MemberChange) []byte {
	var flags byte
	if m.Learner {
		flags |= memberChangeLearner
	}
	dst = binary.LittleEndian.AppendUint64(append(dst, byte(m.Op), flags), uint64(m.ID))
	dst = binary.AppendUvarint(binary.AppendUvarint(dst, m.LearnersMax), uint64(len(m.URLs)))
	for _, u := range m.URLs {
		dst = append(binary.AppendUvarint(dst, uint64(len(u))), u...)
	}
	return dst
}

// DecodeMemberChange reads what AppendMemberChange wrote; errors wrap
// ErrBadMemberChange.
func DecodeMemberChange(b []byte) (m MemberChange, err error) {
	r := &payloadReader{rest: b}
	m.Op = MemberOp(r.byte())
	flags := r.byte()
	if id := r.bytes(8); len(id) == 8 {
		m.ID = raft.NodeID(binary.LittleEndian.Uint64(id))
	}
	m.Learner = flags&memberChangeLearner != 0
	m.LearnersMax = r.uvarint()
	for range r.count() {
		m.URLs = append(m.URLs, string(r.bytes(r.uvarint())))
	}
	if r.end() != nil || flags&^memberChangeLearner != 0 || !m.wellFormed() {
		return MemberChange{}, ErrBadMemberChange
	}
	return m, nil
}

// wellFormed reports whether the leader can judge the change.
func (m *MemberChange) wellFormed() bool {
	for _, u := range m.URLs {
		if u == "" || strings.Contains(u, ",") {
			return false
		}
	}
	wantsURLs := m.Op == AddMember || m.Op == UpdateMember
	return m.ID != 0 && m.Op >= AddMember && m.Op <= PromoteMember &&
		wantsURLs == (len(m.URLs) > 0) && (!m.Learner || m.Op == AddMember) &&
		len(strings.Join(m.URLs, ",")) <= raft.AddressBytesMax
}

// against turns the change into one of the configuration in force. Checks and
// their order are etcd's.
func (m *MemberChange) against(config *raft.Configuration) (raft.ConfigChange, error) {
	row, found := config.Find(m.ID)
	if m.Op != AddMember && !found {
		return raft.ConfigChange{}, ErrMemberNotFound
	}
	switch m.Op {
	case AddMember:
		if found {
			return raft.ConfigChange{}, ErrMemberExists
		}
		row = raft.Member{ID: m.ID, Joining: !m.Learner, Address: strings.Join(m.URLs, ",")}
	case RemoveMember:
		return raft.ConfigChange{Remove: []raft.NodeID{m.ID}}, nil
	case UpdateMember:
		row.Address = strings.Join(m.URLs, ",")
	case PromoteMember:
		if !row.Learner() || row.Joining {
			return raft.ConfigChange{}, ErrNotLearner
		}
		row.Voter = true
	}
	if m.taken(config) {
		return raft.ConfigChange{}, ErrPeerURLExists
	}
	if m.Learner && learners(config)+1 > m.LearnersMax {
		return raft.ConfigChange{}, ErrTooManyLearners
	}
	return raft.ConfigChange{Set: []raft.Member{row}}, nil
}

// taken reports whether another member has one of the URLs.
func (m *MemberChange) taken(config *raft.Configuration) bool {
	return slices.ContainsFunc(config.Members, func(other raft.Member) bool {
		return other.ID != m.ID && slices.ContainsFunc(splitURLs(other.Address), func(u string) bool {
			return slices.Contains(m.URLs, u)
		})
	})
}

func learners(config *raft.Configuration) (n uint64) {
	for _, m := range config.Members {
		if m.Learner() && !m.Joining {
			n++
		}
	}
	return n
}

package raft

import (
	"fmt"
	"strings"
)

var roleNames = [...]string{"follower", "pre-candidate", "candidate", "leader"}

// String names the role in words.
func (r Role) String() string { return name(roleNames[:], int(r), "role") }

var messageNames = [messageTypes]string{
	"None", "RequestPreVote", "RequestPreVoteReply", "RequestVote", "RequestVoteReply",
	"AppendEntries", "AppendEntriesReply", "Heartbeat", "HeartbeatReply",
	"InstallSnapshot", "TimeoutNow", "ReadIndex", "ReadIndexReply", "Announce", "Disown",
}

// String names the message type as the paper does.
func (t MessageType) String() string { return name(messageNames[:], int(t), "message") }

var progressNames = [...]string{"probe", "replicate", "snapshot"}

// String names the state in one word.
func (s ProgressState) String() string { return name(progressNames[:], int(s), "progress") }

var entryNames = [...]string{"noop", "command", "config"}

// String names the entry type in one word.
func (t EntryType) String() string { return name(entryNames[:], int(t), "entry") }

func name(names []string, i int, what string) string {
	if i < len(names) {
		return names[i]
	}
	return fmt.Sprintf("%s(%d)", what, i)
}

// String prints the origin and the number of the read round, as 1.b2#7 (member
// 1, second boot, seventh round).
func (r ReadID) String() string { return fmt.Sprintf("%s.b%d#%d", r.Node, r.Boot, r.Seq) }

// String prints the message for traces:
// n1@2 → n2 AppendEntries prev=3@1 [4@2] commit=3
func (m Message) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "n%s@%d → n%s %s", m.From, m.Term, m.To, m.Type)
	m.describe(&b)
	return b.String()
}

func (m *Message) describe(b *strings.Builder) {
	switch m.Type {
	case RequestPreVote, RequestVote:
		fmt.Fprintf(b, " end=%s", m.LogEnd)
		if m.Transfer {
			b.WriteString(" transfer")
		}
	case RequestPreVoteReply, RequestVoteReply:
		b.WriteString(verdict(m.Reject, " granted", " refused"))
	case AppendEntries:
		fmt.Fprintf(b, " prev=%s %s commit=%d", m.Prev, entryRange(m.Entries), m.Commit)
	case AppendEntriesReply:
		if m.Reject {
			fmt.Fprintf(b, " rejected prev=%s hint=%s", m.RejectedPrev, m.Hint)
			return
		}
		fmt.Fprintf(b, " match=%d", m.Match)
	case Heartbeat:
		fmt.Fprintf(b, " round=%d commit=%d", m.Round, m.Commit)
	case HeartbeatReply:
		fmt.Fprintf(b, " round=%d", m.Round)
	case InstallSnapshot:
		if m.Snapshot != nil {
			fmt.Fprintf(b, " last=%s", m.Snapshot.Last)
		}
	case Disown:
		if m.Fence != nil {
			fmt.Fprintf(b, " %s", &m.Fence.Mark)
		}
	case ReadIndex:
		fmt.Fprintf(b, " read=%s", m.Read)
	case ReadIndexReply:
		fmt.Fprintf(b, " read=%s", m.Read)
		if m.Reject {
			b.WriteString(" refused")
			return
		}
		fmt.Fprintf(b, " index=%d", m.Commit)
	}
}

func verdict(reject bool, granted, refused string) string {
	if reject {
		return refused
	}
	return granted
}

// String prints what is remembered, as boot=3 term=7 match=120.
func (p *PeerMark) String() string {
	return fmt.Sprintf("boot=%d term=%d match=%d", p.Boot, p.Term, p.Match)
}

// entryRange prints [4@2] or [4@2 … 9@3].
func entryRange(es []Entry) string {
	switch len(es) {
	case 0:
		return "[]"
	case 1:
		return fmt.Sprintf("[%s]", es[0].ID())
	case 2:
		return fmt.Sprintf("[%s %s]", es[0].ID(), es[1].ID())
	}
	return fmt.Sprintf("[%s … %s]", es[0].ID(), es[len(es)-1].ID())
}

// String lists the members: n1 n2 n3(old) n4(learner) n5(old,leaving). A
// member that is only in the incoming majority of a joint configuration shows
// as n3(new).
func (c Configuration) String() string {
	var b strings.Builder
	joint := c.Joint()
	for i, m := range c.Members {
		if i > 0 {
			b.WriteByte(' ')
		}
		fmt.Fprintf(&b, "n%s%s", m.ID, m.role(joint))
	}
	return b.String()
}

func (m Member) role(joint bool) string {
	var words []string
	switch {
	case m.Learner():
		words = append(words, "learner")
	case joint && !m.OldVoter:
		words = append(words, "new")
	case !m.Voter:
		words = append(words, "old")
	}
	if m.Joining {
		words = append(words, "joining")
	}
	if m.Leaving {
		words = append(words, "leaving")
	}
	if len(words) == 0 {
		return ""
	}
	return "(" + strings.Join(words, ",") + ")"
}

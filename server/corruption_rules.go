package server

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"maps"
	"slices"

	"github.com/holdfast-db/holdfast/mvcc"
)

// The rules by which hashes are compared; see corruption.go.

// differs tells whether a peer has other data than this member. A peer that was
// compacted at another revision hashes something else, and one without an answer
// nothing: neither can be compared.
func (c *corruptionCheck) differs(mine dataHash, peers []dataHash) bool {
	found := false
	for _, p := range peers {
		switch {
		case p.err != nil:
			c.warn(excuse(p.err), mine, p)
		case p.hash == mine.hash:
		case p.compacted != mine.compacted:
			c.warn("found different compact revision values from remote peer", mine, p)
		default:
			c.warn("found different hash values from remote peer", mine, p)
			found = true
		}
	}
	return found
}

// excuse words why a peer has no hash.
func excuse(err error) string {
	switch {
	case errors.Is(err, mvcc.ErrFutureRevision):
		return "cannot fetch hash from slow remote peer"
	case errors.Is(err, mvcc.ErrCompacted):
		return "cannot fetch hash from remote peer; local member is behind"
	default:
		return "cannot fetch hash from remote peer"
	}
}

func (c *corruptionCheck) warn(message string, mine, peer dataHash) {
	args := []any{"local-member-id", hex(c.self), "local-member-revision", mine.at,
		"local-member-compact-revision", mine.compacted, "local-member-hash", mine.hash,
		"remote-peer-id", hex(peer.member)}
	if peer.err != nil {
		args = append(args, "error", peer.err.Error())
	} else {
		args = append(args, "remote-peer-revision", peer.present,
			"remote-peer-compact-revision", peer.compacted, "remote-peer-hash", peer.hash)
	}
	c.log.Warn(message, args...)
}

// culprit names the member to raise the alarm for. The leader hashed its data
// before it asked the peers (first) and after it had caught up (second). It
// suspects itself if the same data hashes differently; a peer that is ahead of
// all that was acknowledged, in revision or compaction; and a peer whose hash at
// the same revision, compacted at the same revision, is another. The first of
// them is named: under the alarm nothing is written, so more can wait.
func (c *corruptionCheck) culprit(first, second dataHash, peers []dataHash) (member uint64, found bool) {
	if first.at == second.at && first.compacted == second.compacted && first.hash != second.hash {
		c.log.Warn("found hash mismatch", "revision", first.at, "compact-revision", first.compacted,
			"hash-1", first.hash, "hash-2", second.hash)
		return c.self, true
	}
	for _, p := range peers {
		if p.err != nil {
			continue
		}
		if reason := suspicion(first, second, p); reason != "" {
			c.log.Warn(reason, "leader-revision", second.present, "leader-compact-revision", second.compacted, "leader-hash", first.hash,
				"follower-revision", p.present, "follower-compact-revision", p.compacted, "follower-hash", p.hash, "follower-peer-id", hex(p.member))
			return p.member, true
		}
	}
	return 0, false
}

// suspicion says what is wrong with a peer's answer, "" for nothing.
func suspicion(first, second, peer dataHash) string {
	switch {
	case peer.present > second.present:
		return "revision from follower must be less than or equal to leader's"
	case peer.compacted > second.compacted:
		return "compact revision from follower must be less than or equal to leader's"
	case peer.compacted == first.compacted && peer.hash != first.hash:
		return "same compact revision then hashes must match"
	}
	return ""
}

// settle compares the hashes of one compaction. If they differ, a majority with
// the same hash is right and the alarm is raised for each of the rest; without a
// majority nobody knows who is right, and it is raised for nobody in particular.
// It returns false if some members have no answer and the others agree: then an
// older compaction may tell more.
func (c *corruptionCheck) settle(mine dataHash, peers []dataHash) bool {
	byHash := map[uint32][]uint64{mine.hash: {c.self}}
	compared := 0
	for _, p := range peers {
		if p.err != nil || p.compacted != mine.compacted {
			c.warn("Skipped peer's hash", mine, p)
			continue
		}
		compared++
		byHash[p.hash] = append(byHash[p.hash], p.member)
	}
	if len(byHash) > 1 {
		c.accuse(mine, byHash, len(peers)+1)
		return true
	}
	level, message := slog.LevelInfo, "successfully checked hash on whole cluster"
	if compared < len(peers) {
		level, message = slog.LevelWarn, "skipped revision in compaction hash check; was not able to check all peers"
	} else {
		c.agreed = max(c.agreed, mine.at)
	}
	c.log.Log(context.Background(), level, message, "number-of-peers-checked", compared, "number-of-peers", len(peers),
		"revision", mine.at, "compactRevision", mine.compacted)
	return compared == len(peers)
}

// accuse raises the alarms for members that disagree about a compaction.
func (c *corruptionCheck) accuse(mine dataHash, byHash map[uint32][]uint64, members int) {
	quorum := false
	for hash, agree := range byHash {
		if len(agree) > members/2 {
			quorum = true
			delete(byHash, hash)
			break
		}
	}
	if !quorum {
		c.alarm(0)
	}
	for _, hash := range slices.SortedFunc(maps.Keys(byHash), cmp.Compare[uint32]) {
		ids := make([]string, len(byHash[hash]))
		for i, member := range byHash[hash] {
			ids[i] = hex(member)
			if quorum {
				c.alarm(member)
			}
		}
		c.log.Error("Detected compaction hash mismatch", "leader-id", hex(c.self), "leader-revision", mine.at,
			"leader-compact-revision", mine.compacted, "leader-hash", mine.hash, "peer-hash", hash, "peer-ids", ids, "quorum-exist", quorum)
	}
}

func countErrors(peers []dataHash) (n int) {
	for _, p := range peers {
		if p.err != nil {
			n++
		}
	}
	return n
}

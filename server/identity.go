package server

import (
	"crypto/sha1"
	"encoding/binary"
	"slices"
	"strconv"
	"strings"
	"time"
)

// MemberID derives a member's id from its peer URLs and the cluster's token, so
// that members which start alike agree on their ids without a word. The rule is
// etcd's (the first 8 bytes of a SHA-1, used as a name, not as a secret), and so
// are the ids that operators know: a lone default member is 8e9e05c52164694d.
func MemberID(peerURLs []string, token string) uint64 {
	urls := slices.Clone(peerURLs)
	slices.Sort(urls)
	return firstEight([]byte(strings.Join(urls, "") + token))
}

// NewMemberID derives the id of a member that is added to a running cluster. The
// time tells it from one that had the same URLs and was removed (etcd's rule).
func NewMemberID(peerURLs []string, now time.Time) uint64 {
	return MemberID(peerURLs, strconv.FormatInt(now.Unix(), 10))
}

// ClusterID derives a cluster's id from the ids of its first members.
func ClusterID(members []uint64) uint64 {
	ids := slices.Clone(members)
	slices.Sort(ids)
	var b []byte
	for _, id := range ids {
		b = binary.BigEndian.AppendUint64(b, id)
	}
	return firstEight(b)
}

func firstEight(b []byte) uint64 {
	sum := sha1.Sum(b)
	return binary.BigEndian.Uint64(sum[:8])
}

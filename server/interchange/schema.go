package interchange

import (
	"encoding/binary"
	"errors"
	"fmt"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/holdfast-db/holdfast/mvcc"
	"github.com/holdfast-db/holdfast/server/state"
)

// ErrBadFile is wrapped by whatever is wrong with a file that is read.
var ErrBadFile = errors.New("interchange: not a usable etcd snapshot")

// StorageVersion is the version of the schema that is written.
const StorageVersion = "3.7.0"

var (
	bucketKey     = []byte("key")
	bucketLease   = []byte("lease")
	bucketAlarm   = []byte("alarm")
	bucketAuth    = []byte("auth")
	bucketUsers   = []byte("authUsers")
	bucketRoles   = []byte("authRoles")
	bucketMembers = []byte("members")
	bucketRemoved = []byte("members_removed")
	bucketCluster = []byte("cluster")
	bucketMeta    = []byte("meta")

	allBuckets = [][]byte{bucketKey, bucketLease, bucketAlarm, bucketAuth, bucketUsers, bucketRoles,
		bucketMembers, bucketRemoved, bucketCluster, bucketMeta}

	nameAuthEnabled    = []byte("authEnabled")
	nameAuthRevision   = []byte("authRevision")
	nameClusterVersion = []byte("clusterVersion")
	nameIndex          = []byte("consistent_index")
	nameTerm           = []byte("term")
	nameStorageVersion = []byte("storageVersion")
	nameConfState      = []byte("confState")
	nameScheduled      = []byte("scheduledCompactRev")
	nameFinished       = []byte("finishedCompactRev")
)

const (
	revisionBytes = 17
	tombstoneMark = 't'
)

// appendRevision encodes a revision as a key of the bucket "key".
func appendRevision(b []byte, r mvcc.Revision, tombstone bool) []byte {
	b = binary.BigEndian.AppendUint64(b, uint64(r.Main))
	b = binary.BigEndian.AppendUint64(append(b, '_'), uint64(r.Sub))
	if tombstone {
		b = append(b, tombstoneMark)
	}
	return b
}

func decodeRevision(b []byte) (r mvcc.Revision, tombstone bool, err error) {
	tombstone = len(b) == revisionBytes+1 && b[revisionBytes] == tombstoneMark
	if len(b) != revisionBytes && !tombstone || b[8] != '_' {
		return r, false, fmt.Errorf("%w: revision %x", ErrBadFile, b)
	}
	r.Main, r.Sub = int64(binary.BigEndian.Uint64(b)), int64(binary.BigEndian.Uint64(b[9:]))
	if r.Main < 0 || r.Sub < 0 {
		return r, false, fmt.Errorf("%w: revision %x", ErrBadFile, b)
	}
	return r, tombstone, nil
}

// Fields of etcd's leasepb.Lease, which isn't part of its published API.
const (
	leaseFieldID        = 1
	leaseFieldTTL       = 2
	leaseFieldRemaining = 3
)

func appendLease(b []byte, l state.Lease) []byte {
	for _, f := range []struct {
		number protowire.Number
		value  int64
	}{{leaseFieldID, l.ID}, {leaseFieldTTL, l.TTL}, {leaseFieldRemaining, l.Remaining}} {
		if f.value != 0 {
			b = protowire.AppendVarint(protowire.AppendTag(b, f.number, protowire.VarintType), uint64(f.value))
		}
	}
	return b
}

func decodeLease(b []byte) (l state.Lease, err error) {
	for len(b) > 0 {
		number, kind, n := protowire.ConsumeTag(b)
		if n < 0 {
			return l, fmt.Errorf("%w: lease: %w", ErrBadFile, protowire.ParseError(n))
		}
		b = b[n:]
		if number > leaseFieldRemaining || kind != protowire.VarintType {
			if n = protowire.ConsumeFieldValue(number, kind, b); n < 0 {
				return l, fmt.Errorf("%w: lease: %w", ErrBadFile, protowire.ParseError(n))
			}
			b = b[n:]
			continue
		}
		v, n := protowire.ConsumeVarint(b)
		if n < 0 {
			return l, fmt.Errorf("%w: lease: %w", ErrBadFile, protowire.ParseError(n))
		}
		b = b[n:]
		switch number {
		case leaseFieldID:
			l.ID = int64(v)
		case leaseFieldTTL:
			l.TTL = int64(v)
		case leaseFieldRemaining:
			l.Remaining = int64(v)
		}
	}
	if l.ID == 0 || l.TTL > state.LeaseTTLMax {
		return l, fmt.Errorf("%w: lease %+v", ErrBadFile, l)
	}
	return l, nil
}

// memberJSON is a row of the bucket "members".
type memberJSON struct {
	ID         uint64   `json:"id"`
	PeerURLs   []string `json:"peerURLs"`
	IsLearner  bool     `json:"isLearner,omitempty"`
	Name       string   `json:"name,omitempty"`
	ClientURLs []string `json:"clientURLs,omitempty"`
}

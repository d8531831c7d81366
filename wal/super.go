package wal

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"

	"github.com/holdfast-db/holdfast/raft"
)

const (
	superMagic   = 0x48465355_50455231 // "HFSUPER1"
	superVersion = 1
	superBlocks  = 4
	// superFixedBytes come before the lists.
	superFixedBytes = 208
	peerBytes       = 48
	peersMax        = 32
)

// Floor is a position known to be durable, and what the log held there.
type Floor struct {
	// At is the end of a batch; Link is where its segment links to.
	At, Link Pos
	Last     raft.EntryID
	Hard     raft.HardState
}

// PeerMark is the highest position that was heard of a peer: if the peer later
// tells of less, it lost its disk (log-format, step 11). A row about this very
// member is what a peer remembered of it when it was found to have forgotten.
type PeerMark = raft.PeerMark

// super is the small truth beside the log: who we are, where the log starts,
// and how far it is durable.
//
// One version is written to two of four 4 KiB blocks, even versions to 0 and 2,
// odd ones to 1 and 3, with a sync after each. So at every moment, and after
// any single fault, one whole version can be read.
//
//	0     8       12   16     20      24      32      40     48      56   64
//	┌─────┬───────┬────┬──────┬───────┬───────┬───────┬──────┬───────┬────┐
//	│magic│format │CRC │block │ zero  │version│cluster│member│incarn.│boot│
//	├─────┴───────┴────┴──┬───┴───────┴───────┼───────┴──────┴───────┴────┘
//	64 start seq          72 floor: seq       80 block  84 link block
//	│                     │                   │         │
//	├─────────────────────┼───────────────────┼─────────┴─────────────────┐
//	88 floor: link seq    96 last index       104 last term
//	112 floor: term       120 vote            128 commit
//	136 snapshot index    144 snapshot term
//	152 its configuration: index  160 term    168 length  172 zero
//	176 active configuration: index  184 term  192 length  196 zero
//	200 peers  204 zero
//	208 peers × {id 8, incarnation 8, boot 8, nonce 8, term 8, match 8}
//	    the snapshot's configuration, the active configuration, zeros
//	└─────────────────────────────────────────────────────────────────────┘
//
// The active configuration is left out if it doesn't fit or is the snapshot's;
// the log has it. It counts only if the log holds its identity. Peers that don't
// fit beside the snapshot's configuration are left out too, the last ones first.
type super struct {
	version  uint64
	id       Identity
	boot     uint64
	start    uint64
	floor    Floor
	snapshot raft.SnapshotMeta
	active   raft.ConfigAt
	peers    []PeerMark
}

var errSuperTooBig = errors.New("wal: the configuration is too large for super")

// encode returns the version's block number block (0 to 3).
func (s *super) encode(block uint32) ([]byte, error) {
	b := make([]byte, blockBytes)
	if err := s.encodeInto(b, block); err != nil {
		return nil, err
	}
	return b, nil
}

// encodeInto does that in b, which is blockBytes long.
func (s *super) encodeInto(b []byte, block uint32) error {
	clear(b)
	le := binary.LittleEndian
	le.PutUint64(b[0:], superMagic)
	le.PutUint32(b[8:], superVersion)
	le.PutUint32(b[16:], block)
	for i, v := range s.words() {
		le.PutUint64(b[24+8*i:], v)
	}
	le.PutUint32(b[80:], s.floor.At.Block)
	le.PutUint32(b[84:], s.floor.Link.Block)
	if err := s.putLists(b); err != nil {
		return err
	}
	le.PutUint32(b[12:], superCRC(b))
	return nil
}

// words lists the 8-byte fields from byte 24 on; those that are not 8-byte
// integers are 0 here and filled in by encode.
func (s *super) words() []uint64 {
	f := s.floor
	return []uint64{
		s.version, s.id.Cluster, s.id.Member, uint64(s.id.Incarnation), s.boot, s.start,
		f.At.Seq, 0, f.Link.Seq, uint64(f.Last.Index), uint64(f.Last.Term),
		uint64(f.Hard.Term), uint64(f.Hard.Vote), uint64(f.Hard.Commit),
		uint64(s.snapshot.Last.Index), uint64(s.snapshot.Last.Term),
		uint64(s.snapshot.Config.At.Index), uint64(s.snapshot.Config.At.Term), 0,
		uint64(s.active.At.Index), uint64(s.active.At.Term), 0,
		0,
	}
}

func (s *super) putLists(b []byte) error {
	le := binary.LittleEndian
	at := superFixedBytes
	config := raft.AppendConfiguration(nil, s.snapshot.Config.Config)
	if at+len(config) > len(b) {
		return fmt.Errorf("%w: %d bytes", errSuperTooBig, len(config))
	}
	peers := s.peers[:min(len(s.peers), peersMax, (len(b)-at-len(config))/peerBytes)]
	le.PutUint32(b[200:], uint32(len(peers)))
	for _, p := range peers {
		for _, v := range []uint64{uint64(p.ID), uint64(p.Incarnation), p.Boot, p.Nonce, uint64(p.Term), uint64(p.Match)} {
			le.PutUint64(b[at:], v)
			at += 8
		}
	}
	le.PutUint32(b[168:], uint32(len(config)))
	at += copy(b[at:], config)
	if s.active.At == s.snapshot.Config.At {
		return nil
	}
	if active := raft.AppendConfiguration(nil, s.active.Config); at+len(active) <= len(b) {
		le.PutUint32(b[192:], uint32(len(active)))
		copy(b[at:], active)
	}
	return nil
}

func superCRC(b []byte) uint32 {
	c := crc32.Checksum(b[:12], castagnoli)
	return crc32.Update(c, castagnoli, b[16:blockBytes])
}

var errBadSuper = errors.New("wal: super block is damaged")

// decodeSuper reads block number block.
func decodeSuper(b []byte, block uint32) (*super, error) {
	le := binary.LittleEndian
	if len(b) < blockBytes || le.Uint64(b) != superMagic || le.Uint32(b[12:]) != superCRC(b) || le.Uint32(b[16:]) != block {
		return nil, errBadSuper
	}
	if v := le.Uint32(b[8:]); v != superVersion {
		return nil, fmt.Errorf("super format %d: %w", v, ErrVersion)
	}
	word := func(at int) uint64 { return le.Uint64(b[at:]) }
	id := func(at int) raft.EntryID {
		return raft.EntryID{Index: raft.Index(word(at)), Term: raft.Term(word(at + 8))}
	}
	s := &super{
		version: word(24), boot: word(56), start: word(64),
		id: Identity{Cluster: word(32), Member: word(40), Incarnation: raft.Incarnation(word(48))},
		floor: Floor{
			At: Pos{word(72), le.Uint32(b[80:])}, Link: Pos{word(88), le.Uint32(b[84:])}, Last: id(96),
			Hard: raft.HardState{Term: raft.Term(word(112)), Vote: raft.NodeID(word(120)), Commit: raft.Index(word(128))},
		},
		snapshot: raft.SnapshotMeta{Last: id(136), Config: raft.ConfigAt{At: id(152)}},
		active:   raft.ConfigAt{At: id(176)},
	}
	if s.version%2 != uint64(block%2) {
		return nil, errBadSuper
	}
	return s, s.lists(b)
}

func (s *super) lists(b []byte) error {
	le := binary.LittleEndian
	peers, config, active := le.Uint32(b[200:]), le.Uint32(b[168:]), le.Uint32(b[192:])
	if peers > peersMax || uint64(config)+uint64(active)+uint64(peers)*peerBytes > blockBytes-superFixedBytes {
		return errBadSuper
	}
	at := superFixedBytes
	for range peers {
		word := func(i int) uint64 { return le.Uint64(b[at+8*i:]) }
		s.peers = append(s.peers, PeerMark{
			ID: raft.NodeID(word(0)), Incarnation: raft.Incarnation(word(1)), Boot: word(2), Nonce: word(3),
			Term: raft.Term(word(4)), Match: raft.Index(word(5)),
		})
		at += peerBytes
	}
	var err error
	if s.snapshot.Config.Config, err = raft.DecodeConfiguration(b[at : at+int(config)]); err != nil {
		return fmt.Errorf("%w: %w", errBadSuper, err)
	}
	at += int(config)
	switch {
	case s.active.At == s.snapshot.Config.At:
		s.active = s.snapshot.Config
	case active > 0:
		if s.active.Config, err = raft.DecodeConfiguration(b[at : at+int(active)]); err != nil {
			return fmt.Errorf("%w: %w", errBadSuper, err)
		}
	}
	return nil
}

package wal

import (
	"errors"
	"fmt"
	"path"
	"slices"

	"github.com/holdfast-db/holdfast/internal/disk"
)

// survey is what recovery knows of the files before it reads the batches:
// which segments make up the log, and where each is left for the next.
type survey struct {
	fs    disk.FS
	dir   string
	super *super
	// bad are super's damaged blocks, behind those of an unfinished version.
	bad, behind []uint32
	// walk lists the log's segments, oldest first.
	walk []*part
	// outside lists segment files that are not in the walk, spares the names
	// of what can be recycled or removed.
	outside []uint64
	spares  []string
	// seqMax is the highest number that any file or link ever used here.
	seqMax uint64
	damage []Damage
	torn   *Torn
	buf    []byte
}

// part is one segment of the walk.
type part struct {
	seq     uint64
	salt    uint64
	missing bool
	// open is the header of the segment's first batch; nil if it is damaged.
	open *header
	// link is where the segment goes on from; guessed where neither the open
	// nor the floor tells.
	link    Pos
	guessed bool
	// end is where the next segment goes on from: all before it is proven.
	// 0 for the newest segment, and for one whose successor's link is guessed.
	end uint32
}

func (s *survey) path(seq uint64) string { return path.Join(s.dir, segmentName(seq)) }

// newSurvey reads super and finds the walk (log-format, recovery steps 1 and 2).
func newSurvey(fs disk.FS, dir string) (*survey, error) {
	s := &survey{fs: fs, dir: dir}
	names, err := fs.List(dir)
	if err != nil {
		return nil, fmt.Errorf("wal: %w", err)
	}
	var missing bool
	s.super, s.bad, s.behind, missing, err = loadSuper(fs, dir)
	if err != nil {
		return nil, fmt.Errorf("wal: super: %w", err)
	}
	if s.super == nil {
		return nil, s.withoutSuper(names, missing)
	}
	s.noteSuperDamage()
	seqs := s.sort(names)
	top, err := s.top(seqs)
	if err != nil || top == nil {
		s.outside = seqs
		return s, err
	}
	return s, s.follow(top, seqs)
}

// withoutSuper tells a new directory from a member that lost its memory.
func (s *survey) withoutSuper(names []string, missing bool) error {
	if !missing {
		return fmt.Errorf("%w: no block of %s can be read", ErrAmnesiac, path.Join(s.dir, superName))
	}
	for _, name := range names {
		seq, ok := parseName(name, segmentSuffix)
		if !ok {
			continue
		}
		if found, err := s.anyBatch(seq); err != nil || found {
			return errors.Join(fmt.Errorf("%w: %s holds batches", ErrAmnesiac, name), err)
		}
	}
	return fmt.Errorf("%w: %s", ErrNew, s.dir)
}

// anyBatch looks for a batch of any member in a segment file.
func (s *survey) anyBatch(seq uint64) (bool, error) {
	im, err := s.read(seq)
	if err != nil || im.blocks() == 0 {
		return false, err
	}
	h, _ := decodeSegmentHeader(im.block(0)) // zero ids if it is damaged
	salt, _, err := im.salt(h.cluster, h.member)
	if err != nil {
		return false, nil
	}
	return im.find(salt, 1, im.blocks()).h != nil, nil
}

func (s *survey) noteSuperDamage() {
	for _, block := range s.bad {
		// The other parity's blocks may be bad because that version was being
		// written, or was never written at all.
		if uint64(block%2) == s.super.version%2 {
			s.damage = append(s.damage, Damage{
				File: superName, Offset: int64(block) * blockBytes, Bytes: blockBytes,
				What: fmt.Sprintf("version %d: this block is damaged or was being written, its twin is whole", s.super.version),
			})
		}
	}
}

// sort splits the names and returns the segments' numbers, oldest first.
func (s *survey) sort(names []string) []uint64 {
	var seqs []uint64
	s.seqMax = max(s.super.floor.At.Seq, s.super.start-1)
	for _, name := range names {
		seq, ok := parseName(name, segmentSuffix)
		if ok {
			seqs = append(seqs, seq)
		} else if seq, ok = parseName(name, spareSuffix); ok {
			s.spares = append(s.spares, name)
		} else if seq, ok = parseName(name, newSuffix); ok {
			s.spares = append(s.spares, name)
		}
		if ok {
			s.seqMax = max(s.seqMax, seq)
		}
	}
	slices.Sort(seqs)
	return seqs
}

func (s *survey) read(seq uint64) (*image, error) { return s.readSome(seq, batchBytesMax) }

// readSome reads a segment's first bytes.
func (s *survey) readSome(seq uint64, bytesMax int64) (*image, error) {
	f, err := s.fs.Open(s.path(seq))
	if err != nil {
		return nil, err
	}
	im, err := readImage(f, segmentName(seq), seq, bytesMax, s.buf)
	if im != nil {
		s.buf = im.data
	}
	return im, errors.Join(err, f.Close())
}

// load looks at one file: its salt, its open, and whether it counts as a
// segment. A file counts if its open is whole, or if something proves that its
// open was durable, or if it is shorter than it was made: what it has lost may
// have been durable. Otherwise it is a spare that already has its number, or the
// start was cut off while the open was being written: then the older files
// stand as they were.
func (s *survey) load(seq uint64) (p *part, counts bool, err error) {
	if p, err := s.glance(seq); p != nil || err != nil {
		return p, err == nil, err
	}
	p = &part{seq: seq}
	im, err := s.read(seq)
	if err != nil {
		return nil, false, err
	}
	floor := s.super.floor.At
	counts = Pos{seq, 1}.Before(floor) && floor.Seq == seq || im.short()
	salt, headerOK, err := im.salt(s.super.id.Cluster, s.super.id.Member)
	if errors.Is(err, ErrVersion) {
		return nil, false, fmt.Errorf("wal: %s: %w", segmentName(seq), err)
	}
	if err != nil {
		return p, counts, nil
	}
	p.salt = salt
	items := im.scan(salt, im.blocks())
	if !headerOK && anyHeader(items) {
		s.damage = append(s.damage, Damage{
			File: segmentName(seq), Bytes: blockBytes, What: "segment header is damaged, rebuilt from the batches",
		})
	}
	if len(items) > 0 && items[0].h != nil {
		p.open, p.link = items[0].h, items[0].h.synced
		counts = counts || items[0].whole
	}
	counts = counts || Pos{seq, 1}.Before(synced(items))
	if !counts && anyHeader(items) {
		s.torn = &Torn{File: segmentName(seq), Offset: blockBytes, Batches: wholes(items)}
	}
	return p, counts, nil
}

// glance reads only a segment's beginning; nil if that isn't enough.
func (s *survey) glance(seq uint64) (*part, error) {
	for _, bytesMax := range [...]int64{glanceBytes, readChunkBytes} {
		if p, err := s.glanceAt(seq, bytesMax); p != nil || err != nil {
			return p, err
		}
	}
	return nil, nil
}

// glanceBytes hold a segment's header and the first batch, if that is a small one.
const glanceBytes = 4 * blockBytes

func (s *survey) glanceAt(seq uint64, bytesMax int64) (*part, error) {
	im, err := s.readSome(seq, bytesMax)
	if err != nil {
		return nil, err
	}
	salt, headerOK, err := im.salt(s.super.id.Cluster, s.super.id.Member)
	if err != nil || !headerOK {
		return nil, nil
	}
	it := im.find(salt, 1, min(2, im.blocks()))
	if !it.whole {
		return nil, nil
	}
	return &part{seq: seq, salt: salt, open: it.h, link: it.h.synced}, nil
}

// synced is the highest position that the batches found prove to be durable.
func synced(items []item) (p Pos) {
	for _, it := range items {
		if it.h != nil {
			p = later(p, it.h.synced)
		}
	}
	return p
}

func anyHeader(items []item) bool {
	return slices.ContainsFunc(items, func(it item) bool { return it.h != nil })
}

func wholes(items []item) (n int) {
	for _, it := range items {
		if it.whole {
			n++
		}
	}
	return n
}

// top finds the newest segment: the highest number that counts, or that the
// floor names.
func (s *survey) top(seqs []uint64) (*part, error) {
	floor := s.super.floor.At.Seq
	for _, seq := range slices.Backward(seqs) {
		if seq < max(floor, s.super.start) {
			break
		}
		p, counts, err := s.load(seq)
		if err != nil || counts {
			return p, err
		}
	}
	if floor == 0 {
		return nil, nil // the first start was cut off before its first batch
	}
	return &part{seq: floor, missing: true}, nil
}

// follow walks the links from the newest segment to the log's start.
func (s *survey) follow(top *part, seqs []uint64) error {
	for p := top; ; {
		s.walk = append(s.walk, p)
		s.link(p, seqs)
		if p.seq <= s.super.start || p.link.Seq < s.super.start {
			break
		}
		before, _, err := s.load(p.link.Seq)
		if errors.Is(err, disk.ErrNotExist) {
			before, err = &part{seq: p.link.Seq, missing: true}, nil
		}
		if err != nil {
			return err
		}
		if !p.guessed {
			before.end = p.link.Block
		}
		p = before
	}
	slices.Reverse(s.walk)
	for _, seq := range seqs {
		if !slices.ContainsFunc(s.walk, func(p *part) bool { return p.seq == seq }) {
			s.outside = append(s.outside, seq)
		}
	}
	return nil
}

// link settles where a segment goes on from if its own open can't tell: by the
// floor, else by the nearest older segment, of which the end is then unknown.
func (s *survey) link(p *part, seqs []uint64) {
	if p.open != nil || p.seq <= s.super.start {
		return
	}
	if s.super.floor.At.Seq == p.seq {
		p.link = s.super.floor.Link
		return
	}
	p.guessed = true
	p.link = Pos{Seq: s.super.start}
	for _, seq := range seqs {
		if seq < p.seq && seq > p.link.Seq {
			p.link.Seq = seq
		}
	}
}

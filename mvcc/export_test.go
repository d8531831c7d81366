package mvcc

import (
	"bytes"
	"fmt"
)

// CheckInvariants walks the whole store and checks what its types promise.
func (s *Store) CheckInvariants() error {
	if _, err := s.tree.root.check(nil, nil, true); err != nil {
		return err
	}
	if err := s.checkHistory(); err != nil {
		return err
	}
	var fresh uint64
	live := map[*chunk]int{}
	var bad error
	s.tree.ascend(span{open: true}, func(it *item) bool {
		bad = s.checkItem(it)
		for i := range it.count() {
			v := it.nth(i)
			live[v.at] += v.encodedBytes()
		}
		if r := it.load(); !r.tombstone() {
			fresh += sumRecord(&r)
		}
		return bad == nil
	})
	if bad != nil {
		return bad
	}
	if fresh != s.state.live {
		return fmt.Errorf("live hash %x, computed again %x", s.state.live, fresh)
	}
	merging := s.compactor.merge.sources > 0
	for i, c := range s.log.chunks {
		if !merging && c.live != live[c] {
			return fmt.Errorf("chunk %d counts %d live bytes of %d", i, c.live, live[c])
		}
	}
	return nil
}

func (s *Store) checkHistory() error {
	cur, last := s.log.extent().seek(0), Revision{}
	for {
		r, _, ok := cur.next()
		if !ok {
			return nil
		}
		if !last.Less(r.rev) || r.rev.Main > s.rev {
			return fmt.Errorf("history has %v after %v", r.rev, last)
		}
		last = r.rev
	}
}

func (s *Store) checkItem(it *item) error {
	for i := range it.count() {
		v := it.nth(i)
		if !bytes.Equal(v.key(), it.key()) {
			return fmt.Errorf("%q has a version of %q", it.key(), v.key())
		}
		r := v.load()
		if r.rev.Main != v.main || r.tombstone() != v.tombstone() {
			return fmt.Errorf("%q: version and record disagree", it.key())
		}
		if i == 0 {
			if v.tombstone() && v.main > s.compacted {
				return fmt.Errorf("%q begins with a tombstone at %d", it.key(), v.main)
			}
			continue
		}
		old := it.nth(i - 1)
		if !old.less(&v) || old.tombstone() && v.tombstone() {
			return fmt.Errorf("%q: versions %v, %v", it.key(), old.revision(), v.revision())
		}
	}
	if !s.Compacting() && it.kept(s.compacted) > 0 {
		return fmt.Errorf("%q wasn't compacted", it.key())
	}
	return nil
}

// check returns the depth of n, whose keys are in [lo, hi).
func (n *node) check(lo, hi []byte, root bool) (depth int, err error) {
	sum := node{items: n.items, children: n.children}
	sum.sum()
	switch {
	case sum.live != n.live:
		return 0, fmt.Errorf("node counts %d live keys of %d", n.live, sum.live)
	case sum.newest > n.newest:
		return 0, fmt.Errorf("node's newest %d is below %d", n.newest, sum.newest)
	case n.size() > nodeMax, n.size() == 0 && !(root && n.leaf()), root && !n.leaf() && n.size() < 2:
		return 0, fmt.Errorf("node of size %d", n.size())
	}
	if n.leaf() {
		for _, it := range n.items {
			if lo != nil && bytes.Compare(it.key(), lo) < 0 || hi != nil && bytes.Compare(it.key(), hi) >= 0 {
				return 0, fmt.Errorf("key %q outside [%q, %q)", it.key(), lo, hi)
			}
			lo = append(bytes.Clone(it.key()), 0)
		}
		return 1, nil
	}
	if len(n.keys) != len(n.children)-1 {
		return 0, fmt.Errorf("%d keys between %d children", len(n.keys), len(n.children))
	}
	for i, c := range n.children {
		from, to := lo, hi
		if i > 0 {
			from = n.keys[i-1]
		}
		if i < len(n.keys) {
			to = n.keys[i]
		}
		d, err := c.check(from, to, false)
		if err != nil {
			return 0, err
		}
		if depth != 0 && d != depth {
			return 0, fmt.Errorf("leaves at depths %d and %d", depth, d)
		}
		depth = d
	}
	return depth + 1, nil
}

// LiveHash is the part of the state hash that Finish compares.
func (l *Loader) LiveHash() uint64 { return l.store.state.live }

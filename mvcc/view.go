package mvcc

// View is the store as it was at one moment. It never changes, costs a few
// words to make and may be read by any number of goroutines while the store
// goes on. It keeps alive what it can see, so drop it when done.
type View struct {
	tree      tree
	log       extent
	rev       int64
	compacted int64
	state     stateHash
	bytes     int64
	inUse     int64
	hashes    []CompactionHash
}

// View returns the store as it is between two transactions. The first write to
// each node of the index after this copies the node, so take views when
// someone will read them, not after every write; without a change in between
// the same view is returned again.
func (s *Store) View() *View {
	if s.changes != 0 {
		panic("mvcc: view inside a transaction")
	}
	if s.view == nil {
		s.view = &View{tree: s.tree.clone(), log: s.log.extent(), rev: s.rev, compacted: s.compacted,
			state: s.state, bytes: s.Bytes(), inUse: s.BytesInUse(), hashes: s.hashes}
	}
	return s.view
}

// Revision is the present revision of the view.
func (v *View) Revision() int64 { return v.rev }

// CompactRevision is the lowest revision that can be read, -1 if the store was
// never compacted.
func (v *View) CompactRevision() int64 { return v.compacted }

// Bytes is Store.Bytes at the time of the view.
func (v *View) Bytes() int64 { return v.bytes }

// BytesInUse is Store.BytesInUse at the time of the view.
func (v *View) BytesInUse() int64 { return v.inUse }

// Keys is the number of keys that exist.
func (v *View) Keys() int64 { return v.tree.root.live }

// Hash is the state hash (Store.Hash) of the view.
func (v *View) Hash() uint64 { return v.state.sum(v.rev, v.compacted) }

// Range reads keys. Errors: ErrCompacted, ErrFutureRevision.
func (v *View) Range(req *RangeRequest) (*RangeResult, error) {
	return v.reader().rangeKeys(req)
}

// Count is the number of keys that exist in [key, end) at the present.
func (v *View) Count(key, end []byte) int64 {
	return v.tree.count(spanOf(key, end), v.rev)
}

func (v *View) reader() reader {
	return reader{tree: &v.tree, rev: v.rev, compacted: v.compacted}
}

// CompactionHashes are HashKV's answers for the latest compactions, the oldest
// first; at most ten, none from before a restart. Shared: don't modify.
func (v *View) CompactionHashes() []CompactionHash { return v.hashes }

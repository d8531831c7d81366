package api

import (
	"bytes"
	"slices"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
)

// writes is what one list of operations may write: keys that are put, and
// ranges that are deleted. A key may be written once on any path that can be
// executed, since all changes of a transaction share one revision.
type writes struct {
	puts    map[string]struct{}
	deletes spans
}

// collectWrites returns the writes of a list of operations, or
// ErrGRPCDuplicateKey. Then and else of a nested transaction exclude each
// other, so they may write the same key.
//
// The order is etcd's and can be seen from outside: deletes of this level
// first, then nested transactions in order, then puts of this level. So a put
// inside a nested transaction meets deletes of its parents and of the siblings
// before it, not of those after.
func collectWrites(ops []*pb.RequestOp) (writes, error) {
	w := writes{puts: map[string]struct{}{}}
	for _, op := range ops {
		if d := op.GetRequestDeleteRange(); d != nil {
			w.deletes = append(w.deletes, spanOf(d.Key, d.RangeEnd))
		}
	}
	w.deletes = w.deletes.normalize()
	for _, op := range ops {
		if t := op.GetRequestTxn(); t != nil {
			if err := w.addTxn(t); err != nil {
				return writes{}, err
			}
		}
	}
	for _, op := range ops {
		if p := op.GetRequestPut(); p != nil {
			if err := w.addPut(string(p.Key), nil); err != nil {
				return writes{}, err
			}
		}
	}
	return w, nil
}

func (w *writes) addTxn(t *pb.TxnRequest) error {
	then, err := collectWrites(t.Success)
	if err != nil {
		return err
	}
	other, err := collectWrites(t.Failure)
	if err != nil {
		return err
	}
	for k := range then.puts {
		if err := w.addPut(k, nil); err != nil {
			return err
		}
	}
	for k := range other.puts {
		if err := w.addPut(k, then.puts); err != nil {
			return err
		}
	}
	w.deletes = merge(merge(w.deletes, then.deletes), other.deletes)
	return nil
}

// addPut adds a key; one that is there already is fine only if it came from
// the branch that excludes this one.
func (w *writes) addPut(key string, excluded map[string]struct{}) error {
	if _, dup := w.puts[key]; dup {
		if _, ok := excluded[key]; !ok {
			return rpctypes.ErrGRPCDuplicateKey
		}
	}
	if w.deletes.contain([]byte(key)) {
		return rpctypes.ErrGRPCDuplicateKey
	}
	w.puts[key] = struct{}{}
	return nil
}

// span is a range of keys [from, to). As in etcd's check, an end of "\x00" (all
// keys from here on) counts as empty: a put beside such a delete is allowed,
// and comes after or before it in the order given.
type span struct{ from, to []byte }

func spanOf(key, end []byte) span {
	if len(end) == 0 {
		return span{key, append(bytes.Clone(key), 0)}
	}
	return span{key, end}
}

// spans are sorted and disjoint, once normalized.
type spans []span

// normalize sorts, drops empty spans and joins overlapping ones.
func (s spans) normalize() spans {
	slices.SortFunc(s, func(a, b span) int { return bytes.Compare(a.from, b.from) })
	return s.join()
}

// join makes sorted spans disjoint, in place.
func (s spans) join() spans {
	out := s[:0]
	for _, x := range s {
		if bytes.Compare(x.from, x.to) >= 0 {
			continue
		}
		if n := len(out); n > 0 && bytes.Compare(x.from, out[n-1].to) <= 0 {
			if bytes.Compare(x.to, out[n-1].to) > 0 {
				out[n-1].to = x.to
			}
			continue
		}
		out = append(out, x)
	}
	return out
}

// merge returns the union of two normalized sets, in time linear in both.
func merge(a, b spans) spans {
	if len(b) == 0 {
		return a
	}
	if len(a) == 0 {
		return b
	}
	all := make(spans, 0, len(a)+len(b))
	for len(a) > 0 && len(b) > 0 {
		if bytes.Compare(a[0].from, b[0].from) <= 0 {
			all, a = append(all, a[0]), a[1:]
		} else {
			all, b = append(all, b[0]), b[1:]
		}
	}
	all = append(append(all, a...), b...)
	return all.join()
}

// contain reports whether a normalized set contains the key.
func (s spans) contain(key []byte) bool {
	i, found := slices.BinarySearchFunc(s, key, func(x span, k []byte) int { return bytes.Compare(x.from, k) })
	if found {
		return true
	}
	return i > 0 && bytes.Compare(key, s[i-1].to) < 0
}

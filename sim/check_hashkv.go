package sim

import (
	"encoding/binary"
	"hash/crc32"
	"slices"
	"sort"

	"github.com/holdfast-db/holdfast/server/state"
)

// checkHashKV is M2 once more: etcd's HashKV at the present revision, computed
// from the model's history, sees every version that is kept, not only those that
// a range finds.
func (n *Node) checkHashKV(v *state.View) {
	m, now, compact := n.w.oracle.model, v.Revision(), v.CompactRevision()
	if slices.Contains(m.compacted, now) {
		return // answered from memory, if the member remembers
	}
	got, _, _, err := v.KV.HashKV(now)
	if want := m.hashKV(now, compact); err != nil || got != want {
		n.w.unsafe("M2 HashKV", uint8(n.id), "hash %08x at revision %d (compacted %d), error %v; the model has %08x", got, now, compact, err, want)
	}
}

// hashKV is CRC-32C over "key" and every version, in order of revision, that a
// store at revision now and compacted at compact has kept: all above compact,
// and below it what was alive there and, if any key is alive now, still is.
func (m *model) hashKV(now, compact int64) uint32 {
	alive := func(vs []version, rev int64) int {
		i := sort.Search(len(vs), func(i int) bool { return vs[i].main > rev }) - 1
		if i >= 0 && vs[i].deleted {
			return -1
		}
		return i
	}
	any := false
	for _, vs := range m.keys {
		any = any || alive(vs, now) >= 0
	}
	var kept []*version
	for _, key := range m.sorted {
		vs := m.keys[key]
		base := alive(vs, compact)
		for i := range vs {
			switch v := &vs[i]; {
			case v.main > now:
			case v.main > compact, i == base && (!any || alive(vs, now) == base):
				kept = append(kept, v)
			}
		}
	}
	sort.Slice(kept, func(i, j int) bool {
		return kept[i].main < kept[j].main || kept[i].main == kept[j].main && kept[i].sub < kept[j].sub
	})
	table := crc32.MakeTable(crc32.Castagnoli)
	sum := crc32.Update(0, table, []byte("key"))
	for _, v := range kept {
		sum = crc32.Update(sum, table, v.encode())
	}
	return sum
}

// encode is a record of etcd's key bucket: the revision, a mark if it is a
// tombstone, and mvccpb.KeyValue in protobuf.
func (v *version) encode() []byte {
	b := binary.BigEndian.AppendUint64(nil, uint64(v.main))
	b = append(b, '_')
	b = binary.BigEndian.AppendUint64(b, uint64(v.sub))
	text := func(tag byte, s []byte) {
		if len(s) > 0 {
			b = append(binary.AppendUvarint(append(b, tag<<3|2), uint64(len(s))), s...)
		}
	}
	number := func(tag byte, x int64) {
		if x != 0 {
			b = binary.AppendUvarint(append(b, tag<<3), uint64(x))
		}
	}
	if v.deleted {
		b = append(b, 't')
		text(1, v.kv.Key)
		return b
	}
	text(1, v.kv.Key)
	number(2, v.kv.CreateRevision)
	number(3, v.kv.ModRevision)
	number(4, v.kv.Version)
	text(5, v.kv.Value)
	number(6, v.kv.Lease)
	return b
}

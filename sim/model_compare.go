package sim

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/holdfast-db/holdfast/mvcc"
	"github.com/holdfast-db/holdfast/server/state"
)

// sameResult compares a replica's result with the model's; "" if they agree.
// Revisions inside the operations of a transaction are the store's and say
// nothing more than the outer one.
func sameResult(got, want *state.Result) string {
	switch {
	case got.Err != want.Err:
		return fmt.Sprintf("error %v, the model has %v", got.Err, want.Err)
	case got.Revision != want.Revision:
		return fmt.Sprintf("revision %d, the model has %d", got.Revision, want.Revision)
	case want.Put != nil:
		return samePut(got.Put, want.Put)
	case want.Delete != nil:
		return sameDelete(got.Delete, want.Delete)
	case want.Txn != nil:
		return sameTxn(got.Txn, want.Txn)
	case want.Lease != nil && (got.Lease == nil || *got.Lease != *want.Lease):
		return fmt.Sprintf("lease %+v, the model has %+v", got.Lease, want.Lease)
	}
	return ""
}

func samePut(got, want *mvcc.PutResult) string {
	if got == nil {
		return "no put result"
	}
	if (got.Prev == nil) != (want.Prev == nil) || got.Prev != nil && !sameKV(got.Prev, want.Prev) {
		return fmt.Sprintf("previous %s, the model has %s", kvText(got.Prev), kvText(want.Prev))
	}
	return ""
}

func sameDelete(got, want *mvcc.DeleteRangeResult) string {
	if got == nil {
		return "no delete result"
	}
	if got.Deleted != want.Deleted {
		return fmt.Sprintf("deleted %d, the model %d", got.Deleted, want.Deleted)
	}
	return sameKVs(got.Prev, want.Prev)
}

func sameTxn(got, want *mvcc.TxnResult) string {
	if got == nil || got.Succeeded != want.Succeeded || len(got.Ops) != len(want.Ops) {
		return fmt.Sprintf("txn %+v, the model has %+v", got, want)
	}
	for i := range want.Ops {
		if diff := sameOp(&got.Ops[i], &want.Ops[i]); diff != "" {
			return fmt.Sprintf("operation %d: %s", i, diff)
		}
	}
	return ""
}

func sameOp(got, want *mvcc.OpResult) string {
	switch {
	case want.Range != nil:
		return sameRange(got.Range, want.Range)
	case want.Put != nil:
		return samePut(got.Put, want.Put)
	case want.Delete != nil:
		return sameDelete(got.Delete, want.Delete)
	default:
		return sameTxn(got.Txn, want.Txn)
	}
}

func sameRange(got, want *mvcc.RangeResult) string {
	if got == nil {
		return "no range result"
	}
	if got.Count != want.Count || got.More != want.More {
		return fmt.Sprintf("count %d more %v, the model has %d %v", got.Count, got.More, want.Count, want.More)
	}
	return sameKVs(got.KVs, want.KVs)
}

func sameKVs(got, want []mvcc.KeyValue) string {
	if len(got) != len(want) {
		return fmt.Sprintf("%d keys %s, the model has %d %s", len(got), kvsText(got), len(want), kvsText(want))
	}
	for i := range want {
		if !sameKV(&got[i], &want[i]) {
			return fmt.Sprintf("key %s, the model has %s", kvText(&got[i]), kvText(&want[i]))
		}
	}
	return ""
}

func sameKV(a, b *mvcc.KeyValue) bool {
	return bytes.Equal(a.Key, b.Key) && bytes.Equal(a.Value, b.Value) && a.CreateRevision == b.CreateRevision &&
		a.ModRevision == b.ModRevision && a.Version == b.Version && a.Lease == b.Lease
}

func kvText(kv *mvcc.KeyValue) string {
	if kv == nil {
		return "nothing"
	}
	return fmt.Sprintf("%s=%s{create %d mod %d version %d lease %d}", kv.Key, kv.Value, kv.CreateRevision, kv.ModRevision, kv.Version, kv.Lease)
}

func kvsText(kvs []mvcc.KeyValue) string {
	var s []string
	for i := range kvs {
		s = append(s, kvText(&kvs[i]))
	}
	return "[" + strings.Join(s, " ") + "]"
}

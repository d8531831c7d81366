package sim

import (
	"io"

	"github.com/holdfast-db/holdfast/linearizability"
	"github.com/holdfast-db/holdfast/mvcc"
	"github.com/holdfast-db/holdfast/server/replica"
	"github.com/holdfast-db/holdfast/server/state"
)

// history translates what the clients did and heard for package
// linearizability, which knows nothing of this one or of the replicas: its
// checkers are a second opinion on everything that the online checks said.
func (w *World) history() *linearizability.History {
	h := &linearizability.History{Log: []linearizability.Change{}}
	if w.load == nil {
		return h
	}
	for _, o := range w.load.ops {
		if request, ok := requestOf(o); ok && !w.vanished(o) {
			h.Operations = append(h.Operations, operationOf(o, request))
		}
	}
	for _, c := range w.oracle.model.changes {
		h.Log = append(h.Log, linearizability.Change{KV: kvOf(&c.kv), Deleted: c.deleted})
	}
	for _, r := range w.load.watches {
		h.Watches = append(h.Watches, *r)
	}
	return h
}

// vanished: nobody knows the end of this write, and at the end of the run it is
// not in the log. It explains nothing, and every search gets slower by it.
func (w *World) vanished(o *op) bool {
	if !o.write() || o.answer == AnswerOK || o.answer == AnswerRefused {
		return false
	}
	if o.request == nil {
		return true // it never arrived
	}
	out := w.oracle.outcomes[replica.RequestIDOf(o.request)]
	return out == nil || !out.applied
}

// checkHistory is C1, C2 and W1–W9 once more, by other people's means: witness,
// real time and watches on every run, Porcupine's searches if they are wanted.
func (w *World) checkHistory(h *linearizability.History, porcupine bool) {
	report := linearizability.Check(h, linearizability.Options{LeasesExpire: true, Windows: 2, NoSearch: !porcupine})
	if v := report.First(); v != nil {
		w.failure = &Failure{Class: Unsafe, Check: "C1 history: " + v.Check, At: w.now, Text: v.Reason}
	}
	if porcupine {
		w.count["full-state windows checked"] += int64(report.Windows)
	}
}

// Render draws the history of a run as a page of HTML; false if there is none.
func (r *Result) Render(out io.Writer) (bool, error) {
	if r.History == nil || len(r.History.Operations) == 0 {
		return false, nil
	}
	report := linearizability.Check(r.History, linearizability.Options{LeasesExpire: true})
	if report.OK() {
		return false, nil // the online checks saw what clients could not
	}
	return true, linearizability.Render(out, r.History, report)
}

func operationOf(o *op, request linearizability.Request) linearizability.Operation {
	p := linearizability.Operation{
		Client: o.client, Call: o.call, Return: o.ret, Request: request,
		Member:  o.node.id.String(),
		Session: int64(o.client) + int64(o.node.id)<<8 + int64(o.life)<<16,
	}
	switch o.answer {
	case AnswerOK:
		p.Response = responseOf(o)
	case AnswerRefused:
		p.Response = linearizability.Response{Outcome: linearizability.Failed, Error: textOf(o.err)}
	case AnswerPending:
		p.Return = linearizability.Never
	}
	return p
}

func textOf(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// responseOf translates an answer. An error of the data is a failure, of which
// two kinds are claims that can be checked.
func responseOf(o *op) linearizability.Response {
	if o.result == nil {
		if o.err != nil {
			return linearizability.Response{Outcome: linearizability.Failed, Error: claimOf(o.err)}
		}
		r := rangeResponse(o.read)
		r.Outcome, r.Revision = linearizability.OK, o.revision
		return r
	}
	if o.result.Err != nil {
		return linearizability.Response{Outcome: linearizability.Failed, Error: claimOfWrite(o)}
	}
	var r linearizability.Response
	switch {
	case o.result.Put != nil:
		r = putResponse(o.result.Put)
	case o.result.Delete != nil:
		r = deleteResponse(o.result.Delete)
	case o.result.Txn != nil:
		r = txnResponse(o.body.(*mvcc.TxnRequest), o.result.Txn)
	}
	r.Outcome, r.Revision = linearizability.OK, o.result.Revision
	return r
}

func claimOf(err error) string {
	switch err {
	case mvcc.ErrCompacted:
		return linearizability.ErrorCompacted
	case mvcc.ErrFutureRevision:
		return linearizability.ErrorFuture
	}
	return err.Error()
}

// claimOfWrite: that a revision is compacted is a claim about the one that a
// request names; a transaction may name several.
func claimOfWrite(o *op) string {
	if _, ok := o.body.(*mvcc.TxnRequest); ok {
		return "transaction: " + o.result.Err.Error()
	}
	return claimOf(o.result.Err)
}

func rangeResponse(r *mvcc.RangeResult) linearizability.Response {
	return linearizability.Response{KVs: kvsOf(r.KVs), Count: r.Count, More: r.More}
}

func putResponse(r *mvcc.PutResult) linearizability.Response {
	var p linearizability.Response
	if r.Prev != nil {
		p.Prev = []linearizability.KeyValue{kvOf(r.Prev)}
	}
	return p
}

func deleteResponse(r *mvcc.DeleteRangeResult) linearizability.Response {
	return linearizability.Response{Deleted: r.Deleted, Prev: kvsOf(r.Prev)}
}

func txnResponse(b *mvcc.TxnRequest, r *mvcc.TxnResult) linearizability.Response {
	t := linearizability.Response{Succeeded: r.Succeeded}
	ops := b.Success
	if !r.Succeeded {
		ops = b.Failure
	}
	for i := range r.Ops {
		var p linearizability.Response
		switch o := &r.Ops[i]; {
		case historic(&ops[i]):
			continue
		case o.Range != nil:
			p = rangeResponse(o.Range)
		case o.Put != nil:
			p = putResponse(o.Put)
		case o.Delete != nil:
			p = deleteResponse(o.Delete)
		case o.Txn != nil:
			p = txnResponse(ops[i].Txn, o.Txn)
		}
		p.Outcome = linearizability.OK
		t.Responses = append(t.Responses, p)
	}
	return t
}

func kvOf(kv *mvcc.KeyValue) linearizability.KeyValue {
	return linearizability.KeyValue{
		Key: string(kv.Key), Value: string(kv.Value), Create: kv.CreateRevision, Mod: kv.ModRevision, Version: kv.Version, Lease: kv.Lease,
	}
}

func kvsOf(kvs []mvcc.KeyValue) []linearizability.KeyValue {
	var list []linearizability.KeyValue
	for i := range kvs {
		list = append(list, kvOf(&kvs[i]))
	}
	return list
}

// requestOf translates a request; false for those that the checkers have no
// words for: lease bookkeeping, and ranges with an order or filters, which are
// reads and can be left out.
func requestOf(o *op) (linearizability.Request, bool) {
	switch b := o.body.(type) {
	case nil:
		if o.query == nil || filters(o.query) || o.query.SortTarget != mvcc.SortByKey || o.query.SortOrder != mvcc.SortNone {
			return linearizability.Request{}, false
		}
		return rangeRequest(o.query), true
	case *state.CompactRequest:
		return linearizability.Request{Kind: linearizability.Compact, Revision: b.Revision}, true
	case *state.LeaseRevokeRequest:
		return linearizability.Request{Kind: linearizability.Revoke, Lease: b.ID}, true
	case *mvcc.PutRequest:
		return putRequest(b), true
	case *mvcc.DeleteRangeRequest:
		return deleteRequest(b), true
	case *mvcc.TxnRequest:
		return txnRequest(b), true
	}
	return linearizability.Request{}, false
}

func rangeRequest(q *mvcc.RangeRequest) linearizability.Request {
	return linearizability.Request{
		Kind: linearizability.Range, Key: string(q.Key), End: string(q.End), Revision: q.Revision, Limit: q.Limit,
		KeysOnly: q.KeysOnly, CountOnly: q.CountOnly, Serializable: q.Serializable,
	}
}

func putRequest(b *mvcc.PutRequest) linearizability.Request {
	return linearizability.Request{
		Kind: linearizability.Put, Key: string(b.Key), Value: string(b.Value), Lease: b.Lease, PrevKV: b.PrevKV,
		IgnoreValue: b.IgnoreValue, IgnoreLease: b.IgnoreLease,
	}
}

func deleteRequest(b *mvcc.DeleteRangeRequest) linearizability.Request {
	return linearizability.Request{Kind: linearizability.Delete, Key: string(b.Key), End: string(b.End), PrevKV: b.PrevKV}
}

func txnRequest(b *mvcc.TxnRequest) linearizability.Request {
	t := linearizability.Request{Kind: linearizability.Txn, Then: branchRequests(b.Success), Else: branchRequests(b.Failure)}
	for i := range b.Compare {
		t.Compares = append(t.Compares, compareOf(&b.Compare[i]))
	}
	return t
}

// historic: a read of the past inside a transaction. The checkers run the
// transactions on the present and have no past; the oracle has checked it.
func historic(o *mvcc.Op) bool { return o.Range != nil && o.Range.Revision > 0 }

func branchRequests(ops []mvcc.Op) []linearizability.Request {
	var list []linearizability.Request
	for i := range ops {
		switch o := &ops[i]; {
		case historic(o):
		case o.Range != nil:
			list = append(list, rangeRequest(o.Range))
		case o.Put != nil:
			list = append(list, putRequest(o.Put))
		case o.Delete != nil:
			list = append(list, deleteRequest(o.Delete))
		case o.Txn != nil:
			list = append(list, txnRequest(o.Txn))
		}
	}
	return list
}

func compareOf(c *mvcc.Compare) linearizability.Compare {
	return linearizability.Compare{
		Key: string(c.Key), End: string(c.End), Value: string(c.Value), Number: c.Number,
		Target: map[mvcc.CompareTarget]linearizability.Target{
			mvcc.CompareVersion: linearizability.TargetVersion, mvcc.CompareCreate: linearizability.TargetCreate,
			mvcc.CompareMod: linearizability.TargetMod, mvcc.CompareValue: linearizability.TargetValue, mvcc.CompareLease: linearizability.TargetLease,
		}[c.Target],
		Relation: map[mvcc.CompareOp]linearizability.Relation{
			mvcc.CompareEqual: linearizability.Equal, mvcc.CompareGreater: linearizability.Greater,
			mvcc.CompareLess: linearizability.Less, mvcc.CompareNotEqual: linearizability.NotEqual,
		}[c.Op],
	}
}

package sim

import (
	"github.com/holdfast-db/holdfast/linearizability"
	"github.com/holdfast-db/holdfast/mvcc"
)

// recordWatch begins the record of one watcher on one connection.
func (at *watcher) recordWatch(q *mvcc.WatchRequest) {
	w := at.stream.w
	at.record = &linearizability.Watch{
		Client: 1000 + at.stream.index, Key: string(q.Key), End: string(q.End), Start: q.StartRevision, PrevKV: q.PrevKV,
		Fragment: q.Fragment, NoPuts: q.NoPut, NoDeletes: q.NoDelete, CreateCall: w.now,
	}
	w.load.watches = append(w.load.watches, at.record)
}

// recordResponse notes what came.
func (at *watcher) recordResponse(r *mvcc.WatchResponse) {
	if r.Created {
		at.record.Created = r.Revision
		return
	}
	n := linearizability.WatchResponse{
		Time: at.stream.w.now, Revision: r.Revision, Fragment: r.Fragment, Canceled: r.Canceled, Compacted: r.CompactRevision,
	}
	for _, e := range r.Events {
		c := linearizability.Change{KV: kvOf(&e.KV), Deleted: e.Type == mvcc.EventDelete}
		if e.Prev != nil {
			prev := kvOf(e.Prev)
			c.Prev = &prev
		}
		n.Events = append(n.Events, c)
	}
	at.record.Responses = append(at.record.Responses, n)
}

package sim

import "github.com/holdfast-db/holdfast/mvcc"

// eagerReader reads, at any member, as soon as somebody else was told of a
// write: the moment at which a stale answer shows.
type eagerReader struct{}

// next does nothing: readBack decides when to read.
func (eagerReader) next(*client, *op) {}

func (l *workload) startEager() {
	l.eager = &client{w: l.w, id: len(l.clients) + 1, known: map[string]mvcc.KeyValue{}, role: eagerReader{}}
	l.clients = append(l.clients, l.eager)
}

// readBack may send the eager reader after an acknowledged write.
func (l *workload) readBack(o *op) {
	c, d := l.eager, l.w.loadDraw
	if !o.write() || o.client == c.id || !d.percent(l.w.plan.Load.EagerPercent) {
		return
	}
	l.w.at(d.between(0, 2*millisecond), whatClient, 0, func() {
		if c.stop || c.busy != nil {
			return
		}
		q := &mvcc.RangeRequest{Key: c.key()}
		if p, ok := o.body.(*mvcc.PutRequest); ok {
			q.Key = p.Key
		}
		c.node = l.anyMember(d)
		c.send(&op{kind: opGet, query: q})
	})
}

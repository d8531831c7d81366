package sim

import (
	"github.com/holdfast-db/holdfast/mvcc"
	"github.com/holdfast-db/holdfast/server/auth"
	"github.com/holdfast-db/holdfast/server/state"
)

// A1: nobody sees what he may not. Whether a request is allowed is held against
// the model wherever that is decided (model.permit at apply, mayRead for reads,
// below for watches). Here what comes of it is looked at key by key, which needs
// no rule about ranges or transactions: each key of an answer, and each event, is
// one that its reader may read.

// checkSecrets looks at the outcome of a write.
func (w *World) checkSecrets(c auth.Caller, r *state.Result) {
	a := w.oracle.model.auth.now()
	if !a.enabled() || r.Err != nil {
		return
	}
	s := secrets{w, a, c.Name}
	switch {
	case r.Put != nil && r.Put.Prev != nil:
		s.key(r.Put.Prev.Key)
	case r.Delete != nil:
		s.kvs(r.Delete.Prev)
	case r.Txn != nil:
		s.txn(r.Txn)
	}
}

type secrets struct {
	w    *World
	a    *authState
	user string
}

func (s secrets) key(key []byte) {
	if !s.a.covers(s.user, auth.Read, key, nil) {
		s.w.unsafe("A1 nobody sees what he may not", 0, "an answer to %q has the key %q, at revision %d of users and roles", s.user, key, s.a.revision)
	}
	s.w.count.add("secrets compared")
}

func (s secrets) kvs(list []mvcc.KeyValue) {
	for i := range list {
		s.key(list[i].Key)
	}
}

func (s secrets) txn(t *mvcc.TxnResult) {
	for i := range t.Ops {
		switch o := &t.Ops[i]; {
		case o.Range != nil:
			s.kvs(o.Range.KVs)
		case o.Put != nil && o.Put.Prev != nil:
			s.key(o.Put.Prev.Key)
		case o.Delete != nil:
			s.kvs(o.Delete.Prev)
		case o.Txn != nil:
			s.txn(o.Txn)
		}
	}
}

// watchSession is what a watcher's proof rests on, by the model.
type watchSession struct {
	user             string
	since, enabledAt uint64
}

// still tells whether a session may go on reading a range.
func (a *authState) still(s watchSession, key, end []byte) bool {
	u, known := a.users[s.user]
	switch {
	case !a.enabled():
		return true
	case s.user == "" || !known || u.since != s.since || a.enabledAt != s.enabledAt:
		return false
	}
	return a.covers(s.user, auth.Read, key, end)
}

// overheard looks at responses at the moment at which the member sends them. An
// event is for eyes that may read its key now, or might when it was committed:
// what came before a permission went may still be on its way.
func (s *watchStream) overheard(responses []mvcc.WatchResponse) {
	if s.user == "" {
		return
	}
	a, book := s.node.authNow(), &s.w.oracle.model.auth
	for i := range responses {
		r := &responses[i]
		if r.Created {
			s.admitted(r, a)
			continue
		}
		if r.Canceled && r.CompactRevision == 0 && r.ID >= 0 && int(r.ID) < len(s.watchers) {
			if at := s.watchers[r.ID]; a.still(at.session, at.request.Key, at.request.End) {
				s.broken("A1 a permission that stands ends no watch", at, r, "cancelled (%s) at revision %d of users and roles", r.CancelReason, a.revision)
			}
		}
		for _, e := range r.Events {
			then := book.when(e.KV.ModRevision)
			if a.enabled() && then.enabled() && !a.covers(s.user, auth.Read, e.KV.Key, nil) && !then.covers(s.user, auth.Read, e.KV.Key, nil) {
				s.broken("A1 nobody sees what he may not", nil, r, "%q hears of %q at %d, at revision %d of users and roles", s.user, e.KV.Key, e.KV.ModRevision, a.revision)
			}
			s.w.count.add("secrets compared")
		}
	}
}

// admitted compares who gets a watch, in the order in which they were asked for.
func (s *watchStream) admitted(r *mvcc.WatchResponse, a *authState) {
	if len(s.asked) == 0 {
		s.broken("W9 creation comes once", nil, r, "nobody has asked for it")
	}
	at := s.asked[0]
	s.asked = s.asked[1:]
	if allowed := a.still(at.session, at.request.Key, at.request.End); allowed == (r.Canceled && r.CompactRevision == 0) {
		s.broken("A1 nobody sees what he may not", at, r, "%q asks to watch; allowed %v at revision %d of users and roles, cancelled %v (%s)", s.user, allowed, a.revision, r.Canceled, r.CancelReason)
	}
	if r.Canceled && r.ID == mvcc.NoWatchID {
		s.denied = append(s.denied, at)
	}
}

// refused tries again a while later what was denied or taken away.
func (at *watcher) refused(what string) {
	s, opened := at.stream, at.stream.opened
	at.created = false
	s.w.count.add(what)
	s.w.at(s.w.loadDraw.around(300*millisecond), whatWatch, 0, func() {
		if s.opened == opened && s.node != nil {
			s.create(at)
		}
	})
}

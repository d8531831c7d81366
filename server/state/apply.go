package state

import (
	"fmt"

	"github.com/holdfast-db/holdfast/mvcc"
	"github.com/holdfast-db/holdfast/server/auth"
)

// Apply applies the entry at index: a batch of commands in order, each all or
// nothing; no data is an entry that opens a term. For each command with an
// asker it calls reply (which may be nil) with the outcome; the Result is the
// callee's to keep.
//
// An error means that the data isn't a batch that this release can read.
// Entries are checked when they are proposed, so that is damage or a newer
// format; commands before the unreadable one have been applied, and the State
// must not be used any more: the caller stops.
func (s *State) Apply(index, term uint64, data []byte, reply func(RequestID, *Result)) error {
	s.begin(index, term)
	if len(data) == 0 {
		return nil
	}
	batch := OpenBatch(data)
	for batch.Next() {
		c := &batch.Command
		result, err := s.applyCommand(c)
		if err != nil {
			return fmt.Errorf("state: entry %d@%d: %w", index, term, err)
		}
		if reply != nil && c.ID.Seq != 0 {
			reply(c.ID, result)
		}
	}
	if err := batch.Err(); err != nil {
		return fmt.Errorf("state: entry %d@%d: %w", index, term, err)
	}
	return nil
}

// applyCommand decides whether a command counts, then runs it. Its request id
// is spent either way.
func (s *State) applyCommand(c *Encoded) (*Result, error) {
	body, err := DecodeBody(c.Body)
	if err != nil {
		return nil, err
	}
	result := &Result{}
	if result.Err = s.refuse(c, body); result.Err == nil {
		s.run(c, body, result)
	}
	result.Revision = s.store.Revision()
	return result, nil
}

// refuse returns why a command must not run, nil if it may.
func (s *State) refuse(c *Encoded, body Body) error {
	if c.ID.Seq != 0 {
		if err := s.members.admit(c.ID); err != nil {
			return err
		}
	}
	if err := s.alarms.admit(body); err != nil {
		return err
	}
	return permit(&s.auth.View, &s.leases, c.Caller, body)
}

// run executes a command. Errors go into the result: they leave the state as
// it was.
func (s *State) run(c *Encoded, body Body, r *Result) {
	switch b := body.(type) {
	case *mvcc.PutRequest:
		r.Put, r.Err = s.store.Put(b, &s.leases)
	case *mvcc.DeleteRangeRequest:
		r.Delete, r.Err = s.store.DeleteRange(b, &s.leases)
	case *mvcc.TxnRequest:
		r.Txn, r.Err = s.store.Txn(b, &s.leases)
	case *CompactRequest:
		r.Err = s.store.Compact(b.Revision)
	case *LeaseGrantRequest:
		r.Lease, r.Err = s.grant(b)
	case *LeaseRevokeRequest:
		r.Err = s.revoke(b, c.Term, s.term)
	case *LeaseCheckpointRequest:
		s.checkpoint(b)
	case *AlarmRequest:
		r.Alarms, r.Err = s.alarm(b)
	case *MemberAttributesRequest:
		r.Err = s.members.publish(b)
	case *LoginRequest:
		r.Token, r.Err = s.login(b)
	case auth.Change:
		r.Err = s.changeAuth(b)
	default:
		panic(fmt.Sprintf("state: decoded an unknown body %T", body))
	}
}

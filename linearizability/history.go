package linearizability

import (
	"fmt"
	"math"
)

// Kind is what a request asks for.
type Kind uint8

const (
	// Put sets Key. Range reads [Key, End). Delete deletes [Key, End).
	Put Kind = 1 + iota
	Range
	Delete
	// Txn runs Then if all Compares hold, else Else, as one operation.
	Txn
	// Compact forgets history below Revision.
	Compact
	// Revoke ends Lease and deletes its keys.
	Revoke
	kindEnd
)

var kindNames = [...]string{"", "put", "range", "delete", "txn", "compact", "revoke"}

// String names the kind as etcdctl does.
func (k Kind) String() string { return nameOf(kindNames[:], uint8(k)) }

// MarshalText implements encoding.TextMarshaler.
func (k Kind) MarshalText() ([]byte, error) { return marshalName(kindNames[:], uint8(k)) }

// UnmarshalText implements encoding.TextUnmarshaler.
func (k *Kind) UnmarshalText(b []byte) error { return unmarshalName(kindNames[:], b, (*uint8)(k)) }

// Outcome is what the client knows of its operation.
type Outcome uint8

const (
	// Ambiguous: it may have happened, once, at any time after the call, or may
	// still happen. The zero value: so is an operation that never returned.
	Ambiguous Outcome = iota
	// OK: it has happened, and the response says how.
	OK
	// Failed: it has not happened and will not. Error may say more: see
	// ErrorCompacted and ErrorFuture.
	Failed
)

var outcomeNames = [...]string{"ambiguous", "ok", "failed"}

// String names the outcome.
func (o Outcome) String() string { return nameOf(outcomeNames[:], uint8(o)) }

// MarshalText implements encoding.TextMarshaler.
func (o Outcome) MarshalText() ([]byte, error) { return marshalName(outcomeNames[:], uint8(o)) }

// UnmarshalText implements encoding.TextUnmarshaler.
func (o *Outcome) UnmarshalText(b []byte) error {
	return unmarshalName(outcomeNames[:], b, (*uint8)(o))
}

// Two values of Response.Error are claims that can be checked.
const (
	// ErrorCompacted: the requested revision has been compacted.
	ErrorCompacted = "compacted"
	// ErrorFuture: the requested revision does not exist yet.
	ErrorFuture = "future"
)

// Never is the Return of an operation that had not returned when the history
// was taken.
const Never int64 = math.MaxInt64

// Operation is one request of one client. Times are in one unit, real or
// virtual; the operation took effect, if at all, within [Call, Return].
type Operation struct {
	Client int   `json:"client"`
	Call   int64 `json:"call"`
	Return int64 `json:"return"`
	// Session numbers a connection to one member: within it header revisions
	// never fall, even for serializable reads. 0: no such promise.
	Session int64 `json:"session,omitempty"`
	// Member that was asked; for people only.
	Member   string   `json:"member,omitempty"`
	Request  Request  `json:"request"`
	Response Response `json:"response"`
}

// Request has etcd's meaning. The fields a kind does not name are zero.
type Request struct {
	Kind Kind   `json:"kind"`
	Key  string `json:"key,omitempty"`
	// End of the keys, exclusive: "" is the one key, "\x00" all keys from Key on.
	End string `json:"end,omitempty"`

	Value       string `json:"value,omitempty"` // Put
	Lease       int64  `json:"lease,omitempty"` // Put, Revoke
	PrevKV      bool   `json:"prev_kv,omitempty"`
	IgnoreValue bool   `json:"ignore_value,omitempty"`
	IgnoreLease bool   `json:"ignore_lease,omitempty"`

	// Revision to read at (0: now), or to compact at.
	Revision     int64 `json:"revision,omitempty"`
	Limit        int64 `json:"limit,omitempty"`
	KeysOnly     bool  `json:"keys_only,omitempty"`
	CountOnly    bool  `json:"count_only,omitempty"`
	Serializable bool  `json:"serializable,omitempty"`

	Compares []Compare `json:"compares,omitempty"` // Txn
	Then     []Request `json:"then,omitempty"`
	Else     []Request `json:"else,omitempty"`
}

// Target is the field that a Compare looks at.
type Target uint8

const (
	TargetVersion Target = iota
	TargetCreate
	TargetMod
	TargetValue
	TargetLease
)

var targetNames = [...]string{"version", "create", "mod", "value", "lease"}

// String names the field.
func (t Target) String() string { return nameOf(targetNames[:], uint8(t)) }

// MarshalText implements encoding.TextMarshaler.
func (t Target) MarshalText() ([]byte, error) { return marshalName(targetNames[:], uint8(t)) }

// UnmarshalText implements encoding.TextUnmarshaler.
func (t *Target) UnmarshalText(b []byte) error {
	return unmarshalName(targetNames[:], b, (*uint8)(t))
}

// Relation is the operator of a Compare.
type Relation uint8

const (
	Equal Relation = iota
	NotEqual
	Less
	Greater
)

var relationNames = [...]string{"=", "!=", "<", ">"}

// String prints the operator.
func (r Relation) String() string { return nameOf(relationNames[:], uint8(r)) }

// MarshalText implements encoding.TextMarshaler.
func (r Relation) MarshalText() ([]byte, error) { return marshalName(relationNames[:], uint8(r)) }

// UnmarshalText implements encoding.TextUnmarshaler.
func (r *Relation) UnmarshalText(b []byte) error {
	return unmarshalName(relationNames[:], b, (*uint8)(r))
}

// Compare holds if the field of the key (of every key, with End) stands in
// Relation to Value or Number. A missing key has zeros, and no value at all.
type Compare struct {
	Key      string   `json:"key"`
	End      string   `json:"end,omitempty"`
	Target   Target   `json:"target"`
	Relation Relation `json:"relation"`
	Value    string   `json:"value,omitempty"`
	Number   int64    `json:"number,omitempty"`
}

// KeyValue is one version of a key.
type KeyValue struct {
	Key     string `json:"key"`
	Value   string `json:"value,omitempty"`
	Create  int64  `json:"create,omitempty"`
	Mod     int64  `json:"mod,omitempty"`
	Version int64  `json:"version,omitempty"`
	Lease   int64  `json:"lease,omitempty"`
}

// Response is what the client got. Only with OK do the fields below Error mean
// anything.
type Response struct {
	Outcome Outcome `json:"outcome"`
	Error   string  `json:"error,omitempty"`
	// Revision of the header. Responses inside a Txn have 0.
	Revision int64 `json:"revision,omitempty"`

	KVs   []KeyValue `json:"kvs,omitempty"`   // Range
	Count int64      `json:"count,omitempty"` // Range: all in the range, whatever the limit
	More  bool       `json:"more,omitempty"`  // Range

	Deleted int64      `json:"deleted,omitempty"` // Delete
	Prev    []KeyValue `json:"prev,omitempty"`    // Put, Delete, if asked for

	Succeeded bool       `json:"succeeded,omitempty"` // Txn
	Responses []Response `json:"responses,omitempty"` // Txn: of the branch taken
}

// Change is one key changed by one revision.
type Change struct {
	// KV after the change. Of a deletion only Key and Mod.
	KV      KeyValue `json:"kv"`
	Deleted bool     `json:"deleted,omitempty"`
	// Prev is the version before, nil if there was none.
	Prev *KeyValue `json:"prev,omitempty"`
}

// History is all that was recorded of one run.
type History struct {
	// Base is what the store held before the first operation, at BaseRevision.
	// An empty store has revision 1; 0 means 1.
	Base         []KeyValue
	BaseRevision int64
	Operations   []Operation
	Watches      []Watch
	// Log, if not nil, is every change above BaseRevision, in order: a watch of
	// all keys that somebody kept to the end, or a member's log. It resolves
	// what ambiguous operations did. Prev is not looked at. It is not trusted: it
	// must fit the operations as well.
	Log []Change
}

func (h *History) baseRevision() int64 { return max(1, h.BaseRevision) }

func nameOf(names []string, v uint8) string {
	if int(v) < len(names) && names[v] != "" {
		return names[v]
	}
	return fmt.Sprintf("unknown(%d)", v)
}

func marshalName(names []string, v uint8) ([]byte, error) {
	if int(v) >= len(names) || names[v] == "" {
		return nil, fmt.Errorf("linearizability: no name for %d", v)
	}
	return []byte(names[v]), nil
}

func unmarshalName(names []string, b []byte, v *uint8) error {
	for i, name := range names {
		if name != "" && name == string(b) {
			*v = uint8(i)
			return nil
		}
	}
	return fmt.Errorf("linearizability: unknown name %q", b)
}

package mvcc

import (
	"errors"
	"fmt"
	"sync/atomic"
)

// Revision names one change: Main counts transactions that changed something,
// Sub the changes inside one (etcd API guarantees). An empty store stands at
// revision 1.
type Revision struct {
	Main, Sub int64
}

// Less orders revisions by Main, then Sub.
func (r Revision) Less(o Revision) bool {
	return r.Main < o.Main || r.Main == o.Main && r.Sub < o.Sub
}

// String prints main.sub.
func (r Revision) String() string { return fmt.Sprintf("%d.%d", r.Main, r.Sub) }

// KeyValue is one version of a key. Key and Value are immutable and may be
// shared: never modify them.
type KeyValue struct {
	Key, Value     []byte
	CreateRevision int64 // main revision of the put that created the key
	ModRevision    int64 // main revision of this version
	Version        int64 // 1 at creation, +1 a put; 0 in a delete event
	Lease          int64 // 0: none
}

// Errors that every replica returns alike for the same command.
var (
	ErrCompacted       = errors.New("mvcc: required revision has been compacted")
	ErrFutureRevision  = errors.New("mvcc: required revision is a future revision")
	ErrKeyNotFound     = errors.New("mvcc: key not found") // ignore_value or ignore_lease without a key
	ErrLeaseNotFound   = errors.New("mvcc: requested lease not found")
	ErrWatcherRange    = errors.New("mvcc: watcher range is empty")
	ErrDuplicateWatch  = errors.New("mvcc: duplicate watch ID provided on the WatchStream")
	ErrWatchStreamGone = errors.New("mvcc: watch stream is closed")
)

// SortTarget names the field a range is sorted by.
type SortTarget uint8

const (
	SortByKey SortTarget = iota
	SortByVersion
	SortByCreate
	SortByMod
	SortByValue
)

// SortOrder is the direction; SortNone with a target other than the key
// behaves as SortAscend, as in etcd.
type SortOrder uint8

const (
	SortNone SortOrder = iota
	SortAscend
	SortDescend
)

// RangeRequest reads keys in [Key, End) at Revision.
//
// End nil or empty: the one key. End "\x00": all keys ≥ Key. Key and End both
// "\x00": every key. Revision ≤ 0: the present. Limit ≤ 0: no limit. Filters
// of 0 are off. Count in the result is not affected by Limit or filters.
type RangeRequest struct {
	Key, End          []byte
	Limit             int64
	Revision          int64
	SortOrder         SortOrder
	SortTarget        SortTarget
	Serializable      bool // not read here: says how the view was obtained
	KeysOnly          bool
	CountOnly         bool
	MinModRevision    int64
	MaxModRevision    int64
	MinCreateRevision int64
	MaxCreateRevision int64
}

// RangeResult answers a RangeRequest. Revision is the store's present one,
// also for a historical read.
type RangeResult struct {
	KVs      []KeyValue
	More     bool
	Count    int64
	Revision int64
}

// PutRequest sets a key. IgnoreValue keeps the present value, IgnoreLease the
// present lease; both fail with ErrKeyNotFound if there is no key.
type PutRequest struct {
	Key, Value  []byte
	Lease       int64
	PrevKV      bool
	IgnoreValue bool
	IgnoreLease bool
}

// PutResult answers a PutRequest; Prev is nil unless asked for and present.
type PutResult struct {
	Prev     *KeyValue
	Revision int64
}

// DeleteRangeRequest deletes the keys in [Key, End), as RangeRequest reads them.
type DeleteRangeRequest struct {
	Key, End []byte
	PrevKV   bool
}

// DeleteRangeResult answers a DeleteRangeRequest. Deleting nothing leaves the
// revision as it was.
type DeleteRangeResult struct {
	Deleted  int64
	Prev     []KeyValue
	Revision int64
}

// CompareTarget and CompareOp follow etcd's Compare message.
type CompareTarget uint8

const (
	CompareVersion CompareTarget = iota
	CompareCreate
	CompareMod
	CompareValue
	CompareLease
)

type CompareOp uint8

const (
	CompareEqual CompareOp = iota
	CompareGreater
	CompareLess
	CompareNotEqual
	// CompareUnknown stands for every value that etcd doesn't know: it holds.
	CompareUnknown
)

// Compare is one condition of a transaction. With End it must hold for every
// key of the range; an empty range counts as one missing key. A missing key
// compares as all zeros, but a CompareValue on it never holds, even NotEqual.
type Compare struct {
	Op       CompareOp
	Target   CompareTarget
	Key, End []byte
	Number   int64  // for all targets but the value
	Value    []byte // for CompareValue
}

// Op is exactly one of four requests; all nil: ErrKeyNotFound, as etcd has it.
type Op struct {
	Range  *RangeRequest
	Put    *PutRequest
	Delete *DeleteRangeRequest
	Txn    *TxnRequest
}

// TxnRequest runs Success if all Compare hold, else Failure. The branches of
// nested transactions are chosen once, against the state before the outermost
// one; every check comes before every write, so a failed one leaves nothing.
// All writes share one main revision.
type TxnRequest struct {
	Compare []Compare
	Success []Op
	Failure []Op
}

// OpResult holds the result of the Op that stood there.
type OpResult struct {
	Range  *RangeResult
	Put    *PutResult
	Delete *DeleteRangeResult
	Txn    *TxnResult
}

// TxnResult answers a TxnRequest.
type TxnResult struct {
	Succeeded bool
	Ops       []OpResult
	Revision  int64
}

// Leases is what a write needs to know of leases, and tells them. Calls are
// made by the writer only, in an order that is the same on every replica.
//
// A key passed here is good only during the call: copy it to keep it. A put
// that leaves its key with the lease it had makes no call. Detach comes before
// Attach.
type Leases interface {
	Exists(id int64) bool
	Attach(id int64, key []byte)
	Detach(id int64, key []byte)
}

// EventType tells a put from a deletion.
type EventType uint8

const (
	EventPut EventType = iota
	EventDelete
)

// Event is one change as watchers see it. A delete's KV has only Key and
// ModRevision. Events are shared between watchers: never modify them.
type Event struct {
	Type EventType
	KV   KeyValue
	// Prev is the version before, nil if there was none, it is compacted or the
	// watcher didn't ask for it.
	Prev *KeyValue

	encoded atomic.Pointer[[]byte]
}

// Encoded returns what encode makes of the event, and remembers it: however
// many watchers share the event, it is encoded about once. Every caller must
// pass the same pure function. Safe for any goroutine.
func (e *Event) Encoded(encode func(*Event) []byte) []byte {
	if b := e.encoded.Load(); b != nil {
		return *b
	}
	b := encode(e)
	e.encoded.Store(&b)
	return b
}

// StreamID and WatchID name a client's watch stream and a watcher on it.
type StreamID uint64
type WatchID int64

// AutoWatchID asks Create to choose the next free id, from 0; ids of cancelled
// watchers aren't given out again.
const AutoWatchID WatchID = -1

// NoWatchID stands in responses that are about no one watcher: a create that
// failed, and progress of the whole stream.
const NoWatchID WatchID = -1

// WatchRequest creates a watcher on [Key, End) as RangeRequest reads it.
// StartRevision 0 is "from now", a future one delivers nothing earlier.
type WatchRequest struct {
	Key, End       []byte
	StartRevision  int64
	ID             WatchID // AutoWatchID or the client's choice
	PrevKV         bool
	NoPut          bool
	NoDelete       bool
	ProgressNotify bool
	Fragment       bool
}

// WatchResponse is what a stream must send next. It is one of five shapes:
// Created; Canceled; both, for a create that failed, with the reason; Events; or
// progress (none of them set).
// All events of one revision come in one response, or in consecutive ones that
// are marked Fragment but for the last. Events may be shared with other
// watchers, the slice too: read only.
type WatchResponse struct {
	ID              WatchID // NoWatchID: a failed create, or progress of the stream
	Created         bool
	Canceled        bool
	CompactRevision int64 // with Canceled: the watch asked for compacted history
	CancelReason    string
	Events          []*Event
	Fragment        bool
	// Revision is the store's when the response was made: for progress, all
	// events up to it were delivered; 0 with CompactRevision.
	Revision int64
}

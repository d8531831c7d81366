package api

import (
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/mvccpb"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/holdfast-db/holdfast/mvcc"
)

// WatchMessage is a pb.WatchResponse that encodes itself: thousands of watchers
// may get the same event, and only the frame around it differs. It is valid
// until SendWatch returns.
type WatchMessage struct {
	head     Head
	response *mvcc.WatchResponse
	memo     *eventMemo
}

// Events is how many the message carries.
func (m *WatchMessage) Events() int { return len(m.response.Events) }

// About tells which watch the message is for, and whether that begins or ends.
func (m *WatchMessage) About() (id int64, created, canceled bool) {
	return int64(m.response.ID), m.response.Created, m.response.Canceled
}

// Append appends the message's protobuf encoding:
//
//	1 header {1 cluster 2 member 3 revision 4 term}  2 watch_id  3 created
//	4 canceled  5 compact_revision  6 cancel_reason  7 fragment
//	11 event {1 type  2 kv {…}  3 prev_kv {…}} …
func (m *WatchMessage) Append(dst []byte) []byte {
	r := m.response
	dst = appendMessage(dst, 1, headerSize(m.head, r.Revision))
	dst = appendHeader(dst, m.head, r.Revision)
	dst = appendInt(dst, 2, int64(r.ID))
	dst = appendFlag(dst, 3, r.Created)
	dst = appendFlag(dst, 4, r.Canceled)
	dst = appendInt(dst, 5, r.CompactRevision)
	if reason := cancelReason(r.CancelReason); reason != "" {
		dst = protowire.AppendTag(dst, 6, protowire.BytesType)
		dst = protowire.AppendString(dst, reason)
	}
	dst = appendFlag(dst, 7, r.Fragment)
	for i, ev := range r.Events {
		dst = append(dst, m.memo.event(i, ev)...)
	}
	return dst
}

// Size is an upper bound of what Append appends, good for choosing a buffer.
func (m *WatchMessage) Size() int {
	const frame = 64 + 5*10 // header and the fields 2 to 7
	n := frame + len(cancelReason(m.response.CancelReason))
	for _, ev := range m.response.Events {
		n += 16 + eventSize(ev)
	}
	return n
}

// PB is the message as a protobuf, for front ends that don't encode themselves.
func (m *WatchMessage) PB() *pb.WatchResponse {
	r := m.response
	out := &pb.WatchResponse{
		Header:          headerPB(m.head, r.Revision),
		WatchId:         int64(r.ID),
		Created:         r.Created,
		Canceled:        r.Canceled,
		CompactRevision: r.CompactRevision,
		CancelReason:    cancelReason(r.CancelReason),
		Fragment:        r.Fragment,
	}
	for _, ev := range r.Events {
		out.Events = append(out.Events, &mvccpb.Event{
			Type:   mvccpb.Event_EventType(ev.Type),
			Kv:     kvPB(&ev.KV),
			PrevKv: kvPB(ev.Prev),
		})
	}
	return out
}

// eventMemo remembers a stream's last encoded events by their place in a
// response: when one change goes to all watchers of a stream, their responses
// come one after the other and hold the same events at the same places.
type eventMemo [16]struct {
	event   *mvcc.Event
	encoded []byte
}

// memoBytesMax keeps a stream from holding on to large values.
const memoBytesMax = 64 << 10

// event returns field 11 of a response: tag, length and event.
func (m *eventMemo) event(place int, ev *mvcc.Event) []byte {
	slot := &m[place%len(m)]
	if slot.event == ev {
		return slot.encoded
	}
	size := eventSize(ev)
	b := appendMessage(make([]byte, 0, size+16), 11, size)
	b = appendEvent(b, ev)
	if len(b) <= memoBytesMax {
		slot.event, slot.encoded = ev, b
	}
	return b
}

func eventSize(ev *mvcc.Event) int {
	n := sizeInt(int64(ev.Type)) + sizeMessage(kvSize(&ev.KV))
	if ev.Prev != nil {
		n += sizeMessage(kvSize(ev.Prev))
	}
	return n
}

func appendEvent(dst []byte, ev *mvcc.Event) []byte {
	dst = appendInt(dst, 1, int64(ev.Type))
	dst = appendKV(appendMessage(dst, 2, kvSize(&ev.KV)), &ev.KV)
	if ev.Prev != nil {
		dst = appendKV(appendMessage(dst, 3, kvSize(ev.Prev)), ev.Prev)
	}
	return dst
}

func kvSize(kv *mvcc.KeyValue) int {
	return sizeBytes(kv.Key) + sizeInt(kv.CreateRevision) + sizeInt(kv.ModRevision) +
		sizeInt(kv.Version) + sizeBytes(kv.Value) + sizeInt(kv.Lease)
}

func appendKV(dst []byte, kv *mvcc.KeyValue) []byte {
	dst = appendBytesField(dst, 1, kv.Key)
	dst = appendInt(dst, 2, kv.CreateRevision)
	dst = appendInt(dst, 3, kv.ModRevision)
	dst = appendInt(dst, 4, kv.Version)
	dst = appendBytesField(dst, 5, kv.Value)
	return appendInt(dst, 6, kv.Lease)
}

func headerSize(h Head, revision int64) int {
	return sizeInt(int64(h.Cluster)) + sizeInt(int64(h.Member)) + sizeInt(revision) + sizeInt(int64(h.Term))
}

func appendHeader(dst []byte, h Head, revision int64) []byte {
	dst = appendInt(dst, 1, int64(h.Cluster))
	dst = appendInt(dst, 2, int64(h.Member))
	dst = appendInt(dst, 3, revision)
	return appendInt(dst, 4, int64(h.Term))
}

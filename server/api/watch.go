package api

import (
	"context"
	"errors"
	"io"
	"sync"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/holdfast-db/holdfast/mvcc"
	"github.com/holdfast-db/holdfast/server/auth"
)

// watchCredit is what a stream may have on its way from the hub to the network.
// More comes when that was sent: a client that doesn't read falls behind at its
// own cursor in the history, and holds up nobody. Large events are few on their
// way, so that such a client can't keep much in memory that compaction has
// dropped.
var watchCredit = mvcc.Credit{Responses: 128, Bytes: 8 << 20}

// WatchConn is a client's watch stream. Its context ends when the stream must
// end, with context.Cause as the reason.
type WatchConn interface {
	Context() context.Context
	Recv() (*pb.WatchRequest, error)
	// SendWatch sends one response. It may be called from one goroutine.
	SendWatch(*WatchMessage) error
}

// Watch serves a watch stream until the client or the server ends it. It uses a
// pair of goroutines: this one sends, the other receives (Recv can't be
// interrupted; it returns once the stream is over).
func (s *Service) Watch(conn WatchConn) error {
	q := newWatchQueue()
	stream := s.backend.OpenWatch(q.push)
	defer q.close()
	defer stream.Close()
	stream.Grant(watchCredit)
	share := s.openShare(conn)
	defer share.close()

	received := make(chan error, 1)
	go func() { received <- s.receiveWatch(conn, stream, q, share) }()
	sender := watchSender{service: s, conn: conn, stream: stream, share: share}
	for {
		select {
		case <-q.ready:
			if err := sender.send(q.take()); err != nil {
				return err
			}
		case err := <-received:
			if err != nil {
				return watchEnd(err)
			}
			received = nil // the client won't ask again, but still listens
		case <-conn.Context().Done():
			return watchEnd(context.Cause(conn.Context()))
		case <-s.backend.Stopped():
			return rpctypes.ErrGRPCStopped
		}
	}
}

// watchEnd is the status of a stream that ended by err.
func watchEnd(err error) error {
	if errors.Is(err, context.Canceled) || status.Code(err) == codes.Canceled {
		return rpctypes.ErrGRPCWatchCanceled
	}
	return ToGRPC(err)
}

// receiveWatch hands the client's requests to the hub. It returns nil when the
// client has said its last. A client that asks without listening has to wait:
// answers to its requests need no credit.
func (s *Service) receiveWatch(conn WatchConn, stream WatchStream, q *watchQueue, share *watcherShare) error {
	for q.waitForRoom() {
		req, err := conn.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		switch u := req.RequestUnion.(type) {
		case *pb.WatchRequest_CreateRequest:
			if u.CreateRequest == nil {
				continue
			}
			if share.take() {
				s.createWatch(conn.Context(), stream, q, watchFromPB(u.CreateRequest))
			} else {
				s.refuseWatch(q)
			}
		case *pb.WatchRequest_CancelRequest:
			if u.CancelRequest != nil {
				stream.Cancel(mvcc.WatchID(u.CancelRequest.WatchId))
			}
		case *pb.WatchRequest_ProgressRequest:
			if u.ProgressRequest != nil {
				stream.Progress()
			}
		}
		// Anything else is a newer client's: etcd ignores it, too.
	}
	return nil
}

// createWatch hands a watch to the hub, whose actor looks at permissions again,
// then and whenever they change. A refusal is an answer on the stream, not the
// stream's end. A start that can't be is the hub's to refuse, as in etcd first.
func (s *Service) createWatch(ctx context.Context, stream WatchStream, q *watchQueue, r mvcc.WatchRequest) {
	looked(ctx)
	var session auth.Session
	if s.backend.Auth().Enabled() && r.StartRevision >= 0 {
		_, err := s.gate.require(ctx, func(v *auth.View, c auth.Caller) error {
			session = v.Session(c)
			return v.Keys(c, auth.Read, r.Key, r.End)
		})
		if err != nil {
			q.push([]mvcc.WatchResponse{{ID: mvcc.NoWatchID, Created: true, Canceled: true,
				CancelReason: err.Error(), Revision: s.backend.Head().Revision}})
			return
		}
	}
	stream.Create(r, session)
}

// watchQueue takes responses from the apply actor, which must not wait, to the
// stream's sender. Events in it are bounded by the hub's credit, answers to the
// client's requests by waitForRoom.
type watchQueue struct {
	mu     sync.Mutex
	room   sync.Cond
	items  []mvcc.WatchResponse
	spare  []mvcc.WatchResponse // the slice that was taken before
	closed bool
	ready  chan struct{}
}

// watchBacklog is how much may wait in a queue before the client's next request
// is read.
const watchBacklog = 512

func newWatchQueue() *watchQueue {
	q := &watchQueue{ready: make(chan struct{}, 1)}
	q.room.L = &q.mu
	return q
}

// waitForRoom waits until little enough is queued; false: the stream is over.
func (q *watchQueue) waitForRoom() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	for len(q.items) >= watchBacklog && !q.closed {
		q.room.Wait()
	}
	return !q.closed
}

func (q *watchQueue) close() {
	q.mu.Lock()
	q.closed = true
	q.mu.Unlock()
	q.room.Broadcast()
}

func (q *watchQueue) push(responses []mvcc.WatchResponse) {
	q.mu.Lock()
	q.items = append(q.items, responses...)
	q.mu.Unlock()
	select {
	case q.ready <- struct{}{}:
	default: // the sender knows already
	}
}

// take returns what is queued. It is valid until the next call.
func (q *watchQueue) take() []mvcc.WatchResponse {
	q.mu.Lock()
	defer q.mu.Unlock()
	clear(q.spare)
	taken := q.items
	q.items, q.spare = q.spare[:0], taken
	q.room.Broadcast()
	return taken
}

// watchSender turns the hub's responses into messages.
type watchSender struct {
	service *Service
	conn    WatchConn
	stream  WatchStream
	share   *watcherShare
	memo    eventMemo
}

func (w *watchSender) send(responses []mvcc.WatchResponse) error {
	head := w.service.backend.Head()
	w.share.sent(responses) // whoever reads that a watcher is gone may ask for another
	for i := range responses {
		msg := &WatchMessage{head: head, response: &responses[i], memo: &w.memo}
		if err := w.conn.SendWatch(msg); err != nil {
			return err
		}
	}
	if c := spent(responses); c.Responses > 0 {
		w.stream.Grant(c)
	}
	return nil
}

// spent adds up the credit of responses: of events and periodic progress.
// Answers to the client's requests and cancellations come without.
func spent(responses []mvcc.WatchResponse) (sum mvcc.Credit) {
	for i := range responses {
		if r := &responses[i]; !r.Created && !r.Canceled && r.ID != mvcc.NoWatchID {
			c := r.Cost()
			sum.Responses += c.Responses
			sum.Bytes += c.Bytes
		}
	}
	return sum
}

// cancelReason words the hub's reason as etcd does: a watch from an impossible
// revision gets the client-side text, with prefix, the others the store's.
func cancelReason(reason string) string {
	if words, ok := cancelReasons[reason]; ok {
		return words
	}
	return reason
}

// cancelReasons are those that etcd words otherwise than the hub. What a refusal
// for want of permission says has gRPC's frame around it.
var cancelReasons = map[string]string{
	mvcc.ErrCompacted.Error():    rpctypes.ErrCompacted.Error(),
	auth.ErrDenied.Error():       rpctypes.ErrGRPCPermissionDenied.Error(),
	auth.ErrUserEmpty.Error():    rpctypes.ErrGRPCUserEmpty.Error(),
	auth.ErrInvalidToken.Error(): rpctypes.ErrGRPCInvalidAuthToken.Error(),
	auth.ErrOldRevision.Error():  rpctypes.ErrGRPCAuthOldRevision.Error(),
}

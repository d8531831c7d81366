package tcp

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"

	"github.com/holdfast-db/holdfast/raft"
	"github.com/holdfast-db/holdfast/transport"
)

// SendSnapshot streams a file to a member over a connection of its own, and
// returns nil once the member has it, verified and durable. If the connection
// breaks it dials again and goes on at the offset that the receiver names;
// after SnapshotTriesMax tries in a row without progress it gives up. It blocks
// until then or until ctx ends, and takes no bandwidth limit: heartbeats have
// another connection.
//
// Errors: a *transport.Refusal if the receiver doesn't want it, ErrClosed,
// ctx's, the file's, or why the last connection failed.
func (t *Transport) SendSnapshot(ctx context.Context, to raft.NodeID, offer SnapshotOffer, file io.ReaderAt) error {
	if err := t.begin(); err != nil {
		return err
	}
	defer t.work.Done()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(t.ctx, cancel)()

	transfer := &transfer{t: t, to: to, offer: offer, file: file, reached: -1}
	pause := newBackoff(&t.config)
	for tries := 0; ; {
		progress, err := transfer.try(ctx)
		if progress {
			tries = 0
			pause.reset()
		}
		tries++
		switch {
		case err == nil:
			return nil
		case t.ctx.Err() != nil:
			return ErrClosed
		case ctx.Err() != nil:
			return ctx.Err()
		case final(err) || tries >= t.config.SnapshotTriesMax:
			return fmt.Errorf("tcp: snapshot %v to member %v: %w", offer.Meta.Last, to, err)
		}
		pause.wait(ctx, nil)
	}
}

// transfer is one SendSnapshot, over any number of connections.
type transfer struct {
	t       *Transport
	to      raft.NodeID
	offer   SnapshotOffer
	file    io.ReaderAt
	reached int64 // the largest offset that the receiver has named, -1 before
}

// errFile wraps what went wrong with our own file.
type errFile struct{ error }

func (e errFile) Unwrap() error { return e.error }

// final errors are not cured by another connection.
func final(err error) bool {
	var refusal *transport.Refusal
	if errors.As(err, &refusal) {
		return refusal.Code != transport.RefusedBusy
	}
	return errors.As(err, new(errFile))
}

// try makes one connection and sends what the receiver lacks.
func (x *transfer) try(ctx context.Context) (progress bool, err error) {
	c, err := x.connect(ctx)
	if err != nil {
		return false, err
	}
	defer c.stream.hangUp()
	defer context.AfterFunc(ctx, func() { c.stream.hangUp() })()
	if err := c.stream.send(transport.AppendFrame(nil, transport.KindSnapshot, appendOffer(nil, x.offer))); err != nil {
		return false, err
	}
	answer, err := nextAnswer(c.stream)
	if err != nil {
		return false, err
	}
	offset, err := decodeAccept(answer, x.offer.Size)
	if err != nil {
		return false, err
	}
	progress = offset > x.reached
	x.reached = max(x.reached, offset)
	return progress, x.stream(c.stream, offset)
}

func (x *transfer) connect(ctx context.Context) (*connected, error) {
	failure := fmt.Errorf("tcp: member %v has no address", x.to)
	for _, u := range x.t.urlsOf(x.to) {
		var unlisted counters // links only are counted
		c, err := x.t.open(ctx, x.to, u, true, &unlisted)
		if err == nil {
			return c, nil
		}
		failure = err
	}
	return nil, failure
}

func (t *Transport) urlsOf(id raft.NodeID) []string {
	t.mu.RLock()
	l := t.links[id]
	t.mu.RUnlock()
	if l == nil {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.urls)
}

// stream sends the file from offset on and waits for the receiver's verdict,
// which may come early, as a refusal.
func (x *transfer) stream(s *stream, offset int64) error {
	verdict := make(chan error, 1)
	go func() {
		err := readVerdict(s)
		if err != nil {
			s.hangUp() // no use in sending the rest
		}
		verdict <- err
	}()
	err := x.sendChunks(s, offset)
	if err != nil && !errors.Is(err, net.ErrClosed) {
		s.hangUp() // no verdict will come any more, if none has
	}
	said := <-verdict
	if err == nil || errors.Is(err, net.ErrClosed) || errors.As(said, new(*transport.Refusal)) {
		return said
	}
	return err
}

func (x *transfer) sendChunks(s *stream, offset int64) error {
	data := make([]byte, chunkBytesMax)
	var header, frame []byte
	for offset < x.offer.Size {
		part := data[:min(chunkBytesMax, x.offer.Size-offset)]
		if n, err := x.file.ReadAt(part, offset); n < len(part) {
			return errFile{fmt.Errorf("read at %d: %w", offset, err)}
		}
		header = appendChunkHeader(header[:0], offset)
		frame = transport.AppendFrame(frame[:0], transport.KindSnapshot, header, part)
		if err := s.send(frame); err != nil {
			return err
		}
		offset += int64(len(part))
	}
	return nil
}

// nextAnswer returns what the receiver says, other than pings.
func nextAnswer(s *stream) ([]byte, error) {
	for {
		f, err := s.reader.NextOf(transport.KindSnapshot, transport.KindPing, transport.KindRefusal)
		switch {
		case err != nil:
			return nil, err
		case f.Kind == transport.KindSnapshot:
			return f.Payload, nil
		case f.Kind == transport.KindRefusal:
			refusal, err := transport.DecodeRefusal(f.Payload)
			if err != nil {
				return nil, err
			}
			return nil, &refusal
		}
	}
}

func readVerdict(s *stream) error {
	answer, err := nextAnswer(s)
	if err == nil && (len(answer) != 1 || answer[0] != snapshotDone) {
		err = fmt.Errorf("snapshot verdict: %w: %d bytes", transport.ErrMalformed, len(answer))
	}
	return err
}

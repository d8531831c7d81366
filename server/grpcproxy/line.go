package grpcproxy

import (
	"context"
	"errors"
	"io"
	"sync"
	"time"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// A line's waits between tries to open it: doubled each time.
const (
	linePauseMin = 20 * time.Millisecond
	linePauseMax = time.Second
)

// line is a stream to a member that outlives members: when it breaks, another is
// opened, to another member, and begins with what resume returns. It ends when
// ctx does, or if the owner doesn't want to go on after an error that another
// member would give as well.
//
// Sending never waits, so that whoever takes answers in can't be held up by a
// member that waits for just that.
type line[Q, R any] struct {
	open func(context.Context) (grpc.BidiStreamingClient[Q, R], error)
	// resume is called with mu held. What waited to be sent was dropped before: it
	// has to be in resume's answer.
	resume  func() []*Q
	receive func(*R)
	// failed is called with the error of a member that no other would judge otherwise.
	// It tells whether the line goes on nevertheless.
	failed func(error) bool

	mu      *sync.Mutex // the owner's
	up      bool        // a stream is open
	waiting []*Q        // to be sent; nothing unless up
	wake    chan struct{}
}

// send needs mu. Between streams it does nothing: what is to be said then is in
// resume's answer, and the wait for a member may be long.
func (l *line[Q, R]) send(q *Q) {
	if !l.up {
		return
	}
	l.waiting = append(l.waiting, q)
	select {
	case l.wake <- struct{}{}:
	default: // it is awake
	}
}

// run holds the line until it ends.
func (l *line[Q, R]) run(ctx context.Context) {
	for pause := linePauseMin; ; pause = min(2*pause, linePauseMax) {
		began := time.Now()
		err := l.once(ctx)
		if ctx.Err() != nil {
			return
		}
		if !passing(err) && !l.failed(err) {
			return
		}
		if time.Since(began) > linePauseMax {
			pause = linePauseMin
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return
		}
	}
}

// once is one stream.
func (l *line[Q, R]) once(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := l.open(ctx)
	if err != nil {
		return err
	}
	l.mu.Lock()
	l.up = true
	for _, q := range l.resume() {
		l.send(q)
	}
	l.mu.Unlock()
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		l.pump(ctx, stream)
	}()
	err = relay(stream, func(r *R) error { l.receive(r); return nil })
	cancel()
	<-sent
	l.mu.Lock()
	l.up, l.waiting = false, nil
	l.mu.Unlock()
	return err
}

func (l *line[Q, R]) pump(ctx context.Context, stream grpc.BidiStreamingClient[Q, R]) {
	for {
		l.mu.Lock()
		batch := l.waiting
		l.waiting = nil
		l.mu.Unlock()
		for _, q := range batch {
			if stream.Send(q) != nil {
				return // the receiving side has the reason
			}
		}
		select {
		case <-l.wake:
		case <-ctx.Done():
			return
		}
	}
}

// passing tells whether another member may do better. Who asks for a member with
// a leader wants to hear that this one has none.
func passing(err error) bool {
	if err == nil || errors.Is(err, io.EOF) {
		return true
	}
	s := status.Convert(err)
	switch s.Code() {
	case codes.Unavailable:
		return s.Message() != rpctypes.ErrorDesc(rpctypes.ErrGRPCNoLeader)
	case codes.Internal, codes.Canceled:
		return true
	}
	return false
}

package gateway

import (
	"context"
	"errors"
	"io"
	"net/http"
	"sync"
)

// streamBody is the body of a request stream. net/http looks whether a client is
// still there once the body has been read to its end; until then, only reading it
// tells. So a body that can't be read ends the stream, and one of which nobody
// wants more, since what was in it is no request, is read on and forgotten: the
// client may listen still.
type streamBody struct {
	io.ReadCloser
	gone   context.CancelFunc // ends the stream
	forget sync.Once
}

// newStream gives a request's context and body to its stream. Whoever calls it calls
// end once the stream has ended.
func newStream(r *http.Request) (stream *http.Request, end context.CancelFunc) {
	ctx, end := context.WithCancel(r.Context())
	stream = r.WithContext(ctx)
	stream.Body = &streamBody{ReadCloser: r.Body, gone: end}
	return stream, end
}

func (b *streamBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		b.gone()
	}
	return n, err
}

// skip reads on to the end, which the end of the stream is, too.
func (b *streamBody) skip() {
	b.forget.Do(func() { go func() { _, _ = io.Copy(io.Discard, b) }() })
}

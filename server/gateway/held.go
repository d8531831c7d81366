package gateway

import (
	"context"

	"google.golang.org/protobuf/proto"
)

// Held is a reply that counts against a bound until it was sent.
type Held interface {
	// Unwrap returns the message itself.
	Unwrap() proto.Message
	// Release ends the counting. It may be called more than once.
	Release()
}

// releases are what a request has to let go of when its answer was sent.
type releases struct{ held []Held }

type releasesKey struct{}

// holdUntilSent lets go of a reply at the end of its HTTP request, when the text
// that was made of it is gone; at once if it is none of those.
func holdUntilSent(ctx context.Context, h Held) {
	r, ok := ctx.Value(releasesKey{}).(*releases)
	if !ok {
		h.Release()
		return
	}
	r.held = append(r.held, h)
}

func (r *releases) now() {
	for _, h := range r.held {
		h.Release()
	}
}

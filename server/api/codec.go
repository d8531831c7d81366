package api

import (
	"google.golang.org/grpc/encoding"
	_ "google.golang.org/grpc/encoding/proto" // registers the codec that Codec extends
	"google.golang.org/grpc/mem"
)

// Codec is grpc-go's protobuf codec, except that messages which encode
// themselves do so, into a pooled buffer.
type Codec struct{ proto encoding.CodecV2 }

// NewCodec returns the codec that the server must be given.
func NewCodec() Codec { return Codec{proto: encoding.GetCodecV2("proto")} }

// Name is that of the codec which clients ask for.
func (c Codec) Name() string { return c.proto.Name() }

// Marshal encodes a message. grpc-go returns the buffer to the pool once it is
// on the wire.
func (c Codec) Marshal(v any) (mem.BufferSlice, error) {
	switch m := v.(type) {
	case *WatchMessage:
		return m.marshal()
	case *Response:
		return m.marshal()
	default:
		return c.proto.Marshal(v)
	}
}

func (m *WatchMessage) marshal() (mem.BufferSlice, error) {
	pool := mem.DefaultBufferPool()
	buf := pool.Get(m.Size())
	*buf = m.Append((*buf)[:0])
	return mem.BufferSlice{mem.NewBuffer(buf, pool)}, nil
}

// Unmarshal decodes a message; all that come in are ordinary ones.
func (c Codec) Unmarshal(data mem.BufferSlice, v any) error { return c.proto.Unmarshal(data, v) }

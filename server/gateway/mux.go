package gateway

import (
	"context"
	"errors"
	"io"
	"net/http"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/etcdserverpb/gw"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/holdfast-db/holdfast/server/api/v3electionpb"
	"github.com/holdfast-db/holdfast/server/api/v3lockpb"
)

// nestingMax bounds how deep messages lie in messages. A transaction in a
// transaction takes two levels.
const nestingMax = 200

// streams are paths whose requests are JSON objects without an end.
var streams = map[string]bool{"/v3/watch": true, "/v3/lease/keepalive": true}

// New answers requests whose path begins with /v3/ with what is registered with
// the connection.
func New(conn *Conn) http.Handler {
	bodyMax := 4 * int64(conn.RequestBytesMax)
	mux := runtime.NewServeMux(runtime.WithMarshalerOption(runtime.MIMEWildcard, &boundedMarshaler{
		Marshaler: &runtime.HTTPBodyMarshaler{Marshaler: &runtime.JSONPb{
			MarshalOptions:   protojson.MarshalOptions{UseProtoNames: true},
			UnmarshalOptions: protojson.UnmarshalOptions{DiscardUnknown: true, RecursionLimit: nestingMax},
		}},
		objectBytesMax: bodyMax,
	}))
	// The context matters only to what dials.
	ctx := context.Background()
	for _, register := range []func() error{
		func() error { return gw.RegisterKVHandlerClient(ctx, mux, pb.NewKVClient(conn)) },
		func() error { return gw.RegisterWatchHandlerClient(ctx, mux, pb.NewWatchClient(conn)) },
		func() error { return gw.RegisterLeaseHandlerClient(ctx, mux, pb.NewLeaseClient(conn)) },
		func() error { return gw.RegisterClusterHandlerClient(ctx, mux, pb.NewClusterClient(conn)) },
		func() error { return gw.RegisterMaintenanceHandlerClient(ctx, mux, pb.NewMaintenanceClient(conn)) },
		func() error { return gw.RegisterAuthHandlerClient(ctx, mux, pb.NewAuthClient(conn)) },
		func() error { return v3lockpb.RegisterLockHandlerClient(ctx, mux, v3lockpb.NewLockClient(conn)) },
		func() error {
			return v3electionpb.RegisterElectionHandlerClient(ctx, mux, v3electionpb.NewElectionClient(conn))
		},
	} {
		if err := register(); err != nil {
			panic("gateway: " + err.Error()) // the generated code has a path that can't be
		}
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if streams[r.URL.Path] {
			// Answers must not wait for the end of the requests. HTTP/2 is so by
			// itself and says that it can't be told.
			_ = http.NewResponseController(w).EnableFullDuplex()
			var end context.CancelFunc
			r, end = newStream(r)
			defer end()
		} else { // grpc-gateway reads what is left of a body, however long
			r.Body = http.MaxBytesReader(w, r.Body, bodyMax)
		}
		sent := &releases{}
		defer sent.now()
		mux.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), releasesKey{}, sent)))
	})
}

// boundedMarshaler bounds what one JSON object of a request may take.
type boundedMarshaler struct {
	runtime.Marshaler
	objectBytesMax int64
}

// NewDecoder implements runtime.Marshaler.
func (m *boundedMarshaler) NewDecoder(r io.Reader) runtime.Decoder {
	bounded := &boundedReader{from: r, left: m.objectBytesMax}
	inner := m.Marshaler.NewDecoder(bounded)
	return runtime.DecoderFunc(func(v any) error {
		bounded.left = m.objectBytesMax
		err := inner.Decode(v)
		if body, ok := r.(*streamBody); ok && err != nil && !errors.Is(err, io.EOF) {
			body.skip() // grpc-gateway won't decode any more
		}
		return err
	})
}

// Delimiter implements runtime.Delimited: streams are lines.
func (m *boundedMarshaler) Delimiter() []byte { return []byte("\n") }

// boundedReader fails after so many bytes.
type boundedReader struct {
	from io.Reader
	left int64
}

// errTooLarge is the error of a request that no limit would accept.
var errTooLarge = &http.MaxBytesError{}

func (r *boundedReader) Read(p []byte) (int, error) {
	if r.left <= 0 {
		return 0, errTooLarge
	}
	if int64(len(p)) > r.left {
		p = p[:r.left]
	}
	n, err := r.from.Read(p)
	r.left -= int64(n)
	return n, err
}

// Package gateway answers JSON over HTTP with the gRPC services of this very
// process: grpc-gateway's translation, etcd's paths and options, and a
// connection between the two that is a function call.
//
//	POST /v3/kv/put {"key":"Zm9v","value":"YmFy"}
//	    │  grpc-gateway (routes and messages from go.etcd.io/etcd/api/v3)
//	    ▼
//	[Conn].Invoke("/etcdserverpb.KV/Put", …)
//	    │  interceptors: the same guard, permissions and counters as for gRPC
//	    ▼
//	api.Service
//
// etcd's gateway dials its own gRPC port instead. That costs a second connection
// and two encodings a request, and makes the first HTTP/2 connection that the
// server sees one of its own.
//
// # What a client sees
//
// Field names are the protobufs' (snake case where those have it), 64-bit numbers
// are texts, zero values are left out, unknown fields are ignored. An error is
// {"code":C,"message":M,"details":[]} with the HTTP status of its gRPC code. A
// stream sends one JSON object a line, each in a chunk of its own as soon as it
// is there: {"result":{…}}, or {"error":{…}} at its end. Request streams (watch,
// keep-alive) are JSON objects one after the other.
//
// # Bounds
//
// A request's JSON is read up to four times what gRPC may receive, so that what
// is somewhat too large is refused in gRPC's words and what is absurd is never
// buffered; the objects of a request stream have that bound each. Messages may be
// nested [nestingMax] deep. A stream ends with its client: what can't be read ends
// it, what is no request is skipped (see body.go).
package gateway

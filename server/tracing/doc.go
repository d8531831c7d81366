// Package tracing sends traces of clients' requests to an OpenTelemetry collector,
// as etcd does with --enable-distributed-tracing.
//
// A trace follows one request through many programs; each adds spans, which say
// when something began and ended. This member's are two for a request:
//
//	etcdserverpb.KV/Put     the RPC, from its first byte to its last (otelgrpc)
//	└─ put                  what is done for it, with what was asked for as attributes
//	   · Send raft proposal    events of a write
//	   · Receive raft result
//
// Names and attributes of the inner ones are etcd's (range, range_streaming, put,
// delete_range, txn, compact, lease_grant, lease_revoke, lease_renew, watch), so
// that searches and dashboards go on to work. Keys are among the attributes, values
// never are. A key that is no text is sent with its wrong bytes replaced, for one of
// them would make the collector's protocol refuse a whole batch; a long one is cut.
//
// Which requests are traced is the caller's decision, if it sends one (W3C trace
// context, in the request's header); of the others the sampling rate counts, so
// many in a million. What is sampled waits in a queue of 2,048 spans and is sent
// every five seconds, without TLS. A collector that doesn't answer costs nothing
// but the spans: they are dropped, and the log says so once.
//
// A request over the JSON gateway is in its caller's trace if that has sent
// Grpc-Metadata-Traceparent, as with etcd's gateway.
//
// Where tracing is off nothing of this is there: no handler, no interceptor.
//
// Source: etcd 3.7.1, server/embed and server/etcdserver/v3_server.go, for names,
// attributes and defaults.
package tracing

// Package tcpproxy passes TCP connections on to the members of a cluster:
// `holdfast gateway start`. It knows nothing of gRPC or TLS, so what a client and
// a member say to each other stays between them, certificates included.
//
//	client ──▶ gateway ──▶ n1
//	client ──▶         ──▶ n2      one endpoint a connection, in turn
//	                       n3      didn't answer: set aside, probed every RetryDelay
//
// # Which endpoint a connection gets
//
// Endpoints have the priority and the weight of their DNS records (RFC 2782), or
// none. Of the endpoints that aren't set aside, those with the lowest priority
// take turns, each as often as its weight says; without weights that is round
// robin. One that refuses or doesn't answer within five seconds is set aside, and
// the connection tries the next. When all are set aside they are tried once more
// before the client's connection is closed: they may all be back, and a minute is
// long.
//
// # A connection's end
//
// Each direction ends by itself: when one side has said its last word the other
// hears so (a half-closed connection), and may go on talking. An error ends both.
//
// # Departures from etcd's gateway
//
// etcd draws lots among endpoints with weights, closes both directions when one
// ends, waits for a connect as long as the kernel does, and refuses clients until
// the next probe once every endpoint is set aside.
//
// # Left out, and what it costs
//
//   - Balancing of requests: HTTP/2 keeps one connection open, so a client stays
//     with its member until that ends. `holdfast grpc-proxy` knows requests.
//   - Looking up DNS again: a name that moved needs a restart.
package tcpproxy

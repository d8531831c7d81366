// Package grpcproxy stands between many clients and a cluster, of Holdfast or of
// etcd: `holdfast grpc-proxy start`. Clients see one etcd; the members see one
// client that asks for less than all of them together.
//
//	client ──┐                       ┌── watch of "a" ──────────▶ n1
//	client ──┼─▶ port ─▶ front ─▶ ───┼── renewals, one stream ──▶ n2
//	client ──┘                       └── reads, writes, in turn ▶ n1 n2 n3
//
// # Keys
//
// Requests about keys go down through layers that all are [keys], each in a file
// of its own:
//
//	cached   serializable ranges from memory
//	leased   linearizable reads of keys that the proxy owns, from memory (if wanted)
//	named    the namespace: keys get a prefix going down and lose it coming up
//	ordered  serializable reads don't go back in time (if wanted)
//	members  a member that can be reached, the next each time
//
// A serializable read may be answered from memory. It is then at most ten seconds
// old, and never older than a write of its keys that this proxy has had
// acknowledged: what is kept has the revision of its answer, and a write at
// revision 7 throws out what is from before 7, also if that is still on its way
// into the cache. Where reads are ordered it isn't older than anything that was
// seen here, either. A read with a token is never answered from memory, since only
// members know what its owner may read.
//
// # Watches
//
// A watcher that a client creates is a rider. Riders with the same caller (token,
// and whether the member must have a leader) and the same keys share a ride, one
// watcher at a member, which asks for previous values and progress and leaves
// nothing out; filters, previous values and fragments are each rider's own affair.
// All rides of a caller share a trunk, one stream. When a member dies the trunk is
// opened anew and each ride begins where it was, so riders hear each event once.
//
// A rider may get on a ride that is under way if it misses nothing: if it begins
// at a revision that the ride hasn't passed, or at the present. The present is the
// newest revision that was seen here or that a member has, so whoever has put a
// key through the proxy and then watches it doesn't see his own put. Example: a
// ride has passed on revision 8. A client asks for events from 9 on, another from
// the present, which is 12: both ride, the second without 9 to 12. A third asks
// from 5 on: it gets a ride of its own.
//
// A client that doesn't take its events falls behind: it leaves its rides, and
// gets new ones from where it is once it has taken what waits. It holds up nobody,
// and needs bounded memory.
//
// Progress of a whole stream (WatchProgressRequest) is asked for at the member,
// which answers behind the events that it is about. The client is told when the
// answer has passed every ride that it is on, with the lowest revision.
//
// # Leases
//
// Renewals of one caller share a stream; those for a lease that come while one for
// it is under way share the next. Nothing is renewed that no client asks for at that moment, so a
// lease whose client died ends when it would without a proxy.
//
// # The rest
//
// Lock and Election are in the namespace, too. Authentication, maintenance, members
// and health are passed on as bytes ([forwarder]). MemberList shows the proxies
// ([clusterServer]), which find each other by keys ([resolver]).
//
// # Departures from etcd's proxy
//
//   - Answers are cached for ten seconds at most and by bytes, not for ever and by
//     number; with a token not at all. etcd's shows what one user has read to all.
//   - Watches are shared by callers with the same token. etcd shares them among all,
//     with the permission of the first; it asks for permission once, at the start.
//   - Leases are not renewed on behalf of clients, which etcd does for up to a TTL.
//   - Locks and elections are in the namespace. In etcd they are outside.
//   - RangeStream, WatchProgressRequest, watch ids that the client chose, fragments
//     and MemberPromote work. In etcd they don't.
//   - Serializable reads that would go back in time end as linearizable ones instead
//     of with an error.
//   - MaxConcurrentStreams holds for gRPC; in etcd for HTTP alone.
//   - Locks, revoked leases, and changes of users or permissions that come through
//     the proxy are seen by the cache.
//
// # Left out, and what it costs
//
//   - JSON over HTTP (/v3/…): members have it; etcd's proxy hasn't.
//   - Watches of different keys that overlap, or of different tokens, aren't shared.
//   - A ride from the past isn't merged with one of the same keys that is further
//     ahead when it has caught up: one watcher more at a member.
//   - Leasing is etcd's client library's, and needs the cluster to be without
//     authentication, as it does there.
package grpcproxy

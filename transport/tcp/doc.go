// Package tcp is the network of real members: framed TCP or unix sockets, with
// TLS if asked for. Only the server imports it; the simulator has its own.
//
// # Links
//
// The sender dials. Between members A and B stand two connections, and what A
// says to B always goes over the one that A dialled to B's advertised URL:
//
//	     put → queue → writer ──── frames, pings ────▶ reader → OnFrame
//	A                                                              B
//	     round trip ◀───────────── pings ───────────── reader
//
//	A reader ◀──────────────────── frames, pings ───── writer ← queue ← put  B
//
// So nobody has to decide which of two connections made at the same moment is
// the one to keep; a proxy or firewall that cuts one direction cuts only that;
// and when a link ends, its dialler can find out why, by dialling again.
//
// A link has one writer goroutine. It takes all that waits in the queue and
// writes it together, so the batch grows with the load and nobody waits for a
// timer. Send only appends to the queue. The queue is bounded in frames and
// bytes; when it is full, the newest frame is dropped and counted, and the
// handler hears OnUnreachable once. Without a connection frames are dropped at
// once: raft says again what matters, and what was queued for a minute would
// only delay it.
//
// # A connection's life
//
//  1. Dial each URL of the member's row in turn; then TLS if it is https.
//  2. Hello out, Hello in, within HandshakeTimeout. Cluster, member and version
//     must fit; Config.Vet sees incarnation, boot and durable entry. Otherwise
//     a Refusal says in words what is wrong.
//  3. Frames, and a ping each PingInterval. The acceptor answers pings. Each
//     side ends a connection on which nothing has come for ReadTimeout, so a
//     half-open one (the other machine lost power) is noticed by both.
//  4. A frame that is malformed, by its CRC or by OnFrame's verdict, ends the
//     connection. Nothing behind it is read.
//  5. When the connection ends the link dials again at once, and only then with
//     exponential backoff and jitter. A member that dials us is alive, so its
//     Hello ends our wait.
//
// Step 5 gives OnPeerClosed. After kill -9 of a process its kernel closes the
// connections and answers "connection refused" to the redial: the leader is not
// slow, it is gone, and its followers need not wait for an election timeout
// (design, "PeerClosed"). A cut cable gives neither, so there patience remains.
//
// # Members that are not in the address book
//
// A member that was down while the cluster changed knows only old addresses.
// A leader that it has never heard of dials it, and it must answer over a link
// that it dials itself. So a Hello carries its sender's URLs, and a peer of the
// same cluster which is not in the book is dialled there as a guest, until its
// connection ends or SetPeers lists it. Whether it may speak at all is Vet's
// decision (a removed member may not); whether raft listens is raft's.
//
// # Snapshots
//
// A snapshot is gigabytes where a heartbeat is a hundred bytes. It has a
// connection of its own, which the kernel shares out fairly with the link, so
// the leader's heartbeats pass it. The receiver names the offset from which it
// wants the file, so a broken transfer goes on where it ended. See
// snapshot_wire.go for the bytes.
//
// # Left out, and what it costs
//
//   - No limit on a snapshot's rate: on a full network it takes its TCP share.
//   - One link a direction: a 64 MiB entry delays the heartbeat behind it.
//     Entries are bounded by the client's request size, a small part of that.
//   - Connections are not encrypted under http://, and CRCs stop no attacker:
//     whoever reaches the peer port and knows the cluster id can speak. That is
//     etcd's position, too; use https with client certificates.
//
// # Sources
//
// etcd's rafthttp for what operators expect of peer URLs; Raft §5.5 (messages
// may be lost, and are sent again); Ongaro's thesis §10.2 on pipelining over
// an ordered connection.
package tcp

// Package server runs a member: it gives a replica.Replica its goroutines, disk,
// clock and network, and shows faces to clients (gRPC and HTTP) and to peers. It
// decides nothing that matters for correctness; whatever does is deterministic
// and lives below.
//
// # The goroutines
//
//	                  ┌───────────── Server ──────────────┐
//	client ─gRPC──▶ splitter ─▶ api.Service ─▶ backend     │
//	client ─HTTP──▶    │                        │ submit   │
//	                  │            ┌───────────▼────────┐ │
//	peer ──TCP────▶ tcp.Transport ─▶│ mailbox → core     │ │
//	                  │            │ mailbox → log ─disk│ │
//	                  │            │ mailbox → apply    │ │
//	                  │  ticker ──▶└────────┬───────────┘ │
//	                  └─────────────────────┼─────────────┘
//	client ◀── reply ───────────────────────┘
//
// Each actor has one goroutine and one [mailbox]: it takes everything that
// waits, steps through it, flushes, and the [driver] carries out what came of it.
// That is where batches form: while the log syncs, requests gather in the
// core's mailbox; the next Flush proposes all of them as one entry.
//
// A client's request costs no goroutine, timer or queue of its own. The handler's
// goroutine encodes it, puts it into the core's mailbox and waits on a pooled
// channel; the actor that knows the answer writes it there. Timeouts are counted
// in ticks by the actors. Reads get a view and run on the handler's goroutine.
//
// What may block: links to peers, when the core is behind (then only that peer's
// frames wait); clients, on their answer; nothing else. Ticks that an actor can't
// take are dropped: for a member that is stuck or stopped, time passes slower
// and never faster, which only makes leases last longer.
//
// # Starting
//
// Start checks the configuration, recovers the data directory and binds all
// addresses, so that whatever is wrong with those is an error at once. Clients
// are let in later, when this member's name and client URLs were published
// through the log and applied here. That proves a quorum, and that the member
// has caught up with everything acknowledged before it started: even a
// serializable read never shows less than the member showed before a restart.
// Until then connections wait in the listeners' backlog. The log line "ready to
// serve client requests" says when.
//
// # Stopping
//
// Stop hands leadership to the voter that is furthest on, ends streams with
// "server stopped" (clients go to another member), drains, and closes the log
// cleanly: at most about 1.5 s. A failed disk ends the member on the spot,
// because after a failed write or sync nobody knows what a file holds; see
// package wal.
//
// # One port
//
// gRPC, HTTP/1.1 and thus probes and metrics share the client port. The
// [splitter] reads the first bytes of each connection: a TLS record begins a
// handshake (an address may be given as http and as https), HTTP/2's preface
// means gRPC. Serving gRPC through net/http would do it with less code and cost gRPC
// much of its speed.
//
// # Left out so far
//
// Traces.
package server

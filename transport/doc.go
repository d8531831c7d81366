// Package transport is what members say to each other, as bytes: frames,
// messages, and the greeting that opens a connection. It moves nothing
// itself. Two networks do: transport/tcp in the server, and the simulator's,
// which runs this same codec so that a flipped bit or a truncated frame is met
// by the code that meets it in production.
//
// # What it guarantees
//
//  1. A decoded message is the one that was encoded. A frame's CRC-32C covers
//     its kind, length and payload; each log entry has a CRC of its own, made
//     once by the leader that wrote it, which covers type, index, term and data
//     and is verified here. (The second catches what the first can't: damage in
//     a member's memory or log before the frame was built.)
//  2. Bytes from outside never panic, and never make us allocate more than a
//     small multiple of what has arrived. A length is checked against the limit
//     of its frame's kind first; above 1 MiB memory grows with the bytes.
//  3. One message has one encoding. Whatever DecodeMessage accepts,
//     AppendMessage encodes to the same bytes; the fuzz test holds it to that.
//  4. Malformed is final. Behind a bad frame there is no way to find the next
//     one, so the connection is closed, and raft sees a lost message, which it
//     is made for.
//
// # A message on its way
//
// The leader 0xa of term 7 sends entry 42 ("hi", after 41@7, commit 40) to 0xb:
//
//	frame   53 00 00 00  01 00 0000 crc…      83 bytes of payload, KindRaft
//	        05 00 18 08                       AppendEntries; fields: Prev, Commit, Entries
//	        0a… 0b… 01… 07…                   from, to, incarnation, term (u64 each)
//	        07… 29…                           Prev: term 7, index 41
//	        28…                               Commit 40
//	        01 00 00 00                       one entry, at index 42 by its place
//	        07… 01 02 00 00 00 crc… 68 69     term 7, command, 2 bytes, its CRC, data
//
// AppendMessageFrame writes that in one pass into the buffer that goes to the
// socket: the data of an entry is copied once here. DecodeFrame and
// DecodeMessage copy nothing: entries alias the buffer the frame was read
// into, which therefore lives as long as they do. A frame holds what one
// AppendEntries holds, so what a tail of the log pins in memory is its entries
// and a few dozen bytes for each.
//
// # Identity
//
// Each connection opens with a Hello both ways. It names the cluster, who
// dials, whom it believes to have dialled, the incarnation of its disk, its
// boot, and its last durable entry. The answer is a Hello or a Refusal in
// words. All frames that follow belong to that pair; a member compares a
// message's From with it before raft is asked. A pair has two links, one
// dialled by each side: A's messages to B travel on the one that A dialled.
// Then each direction fails and recovers by itself, there is no tie to break
// when both dial at once, and a link that ends tells its dialler something
// about the other's process (design, "PeerClosed").
//
// # Left out, and what it costs
//
//   - No compression: peers sit close together, and a snapshot, the one large
//     thing, is compressed already.
//   - No HTTP/2 or gRPC between peers: its flow control, header tables and
//     goroutines buy nothing on one ordered stream of frames, and cost a third
//     of the CPU of a small append.
//   - No generated code (protobuf): the format is fourteen fields, drawn beside
//     their encoder. The cost is that a new field needs a new bit and a new
//     protocol version; the greeting settles which one two members speak.
//   - No encryption here: TLS belongs to the connection (transport/tcp). A CRC
//     is against accidents, not against an attacker.
//
// # Sources
//
// Raft (Ongaro and Ousterhout, 2014) Figure 2 for the messages; Ongaro's
// thesis §10.2.1 for writing to the network and the disk at the same time;
// etcd issue #20418 for why a read carries incarnation and boot.
package transport

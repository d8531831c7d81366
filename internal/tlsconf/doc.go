// Package tlsconf turns files and rules into TLS configurations, for listeners
// and for dialling. Every https listener of a member, for clients, peers and
// metrics, gets its configuration here, so that what is checked is checked
// everywhere.
//
// # What a connection meets
//
//  1. The certificate (and key), the CA and the revocation list that the files
//     hold when the handshake begins. They are looked at (a stat each) at every
//     handshake and read again if they changed. Certificate and key count as a
//     pair: while a new certificate stands beside the old key, or a file can't be
//     read, the last set that was sound is used, and a warning says so. Open
//     connections stay as they are.
//  2. The chain is verified by crypto/tls, for clients if a CA is given or
//     certificates are demanded, always when we dial, but for self-made
//     certificates, which prove nothing.
//  3. verify, from VerifyConnection, so for a resumed session, too: every
//     certificate shown is within its time and not revoked; the leaf has an
//     allowed common name or host name, if there is such a list; for a peer that
//     dials us, it names the address that it dials from, if it names any (etcd's
//     rule: [Source.Server]).
//
// Revocation is by serial number, whatever the issuer, and fails closed: a list
// that can't be read any more leaves the last one in force.
//
// # Departures from etcd
//
// etcd reads files at each handshake and fails it if one is bad, reads the CA
// once, checks the addresses and revocation after the handshake (the other side
// learns nothing), and the list not at all where it dials. Here the other side
// gets a TLS alert, and the CA can be replaced. A list may be PEM as well as DER.
//
// # Left out, and what it costs
//
//   - OCSP: a revocation list is the means.
//   - Watching files (inotify): a stat costs a microsecond, a handshake a
//     thousand.
//   - Connections are not ended when their certificate expires or is revoked
//     later: restart, or limit their age.
package tlsconf

// Package pki makes certificates: an authority, what it signs, revocation lists,
// and pairs that sign themselves. The command `holdfast cert`, auto-TLS and tests
// use it; nothing here listens or dials.
//
// Keys are ECDSA on P-256: every TLS library has it, and a signature costs a
// twentieth of RSA's. Serial numbers are random, 127 bits (RFC 5280 §4.1.2.2), so
// that two runs with one authority never collide and a revocation list may tell
// certificates apart by serial alone, as etcd does.
//
// Files are written beside their place and renamed into it, keys with mode 0600:
// a member that reads them again while they are replaced finds the old file or
// the new one, never half of one.
package pki

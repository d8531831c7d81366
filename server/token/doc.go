// Package token proves who a caller is, by what he shows with each request: a
// token that he was given for his password. There are two kinds, as in etcd, and
// a cluster uses one of them on all members.
//
// # Simple tokens
//
// A simple token is a random string that every member knows, because it was
// assigned through the log: the member that compared the password draws the
// random part, 23 letters (131 bits), and proposes a state.LoginRequest; its
// index completes the token, and each member that applies it keeps it in memory.
// A token lives for a time after its last use, on each member by itself, as in
// etcd: whoever changes members may have to log in again. After a restart there
// are none. A member keeps at most SimpleMax of them, the ones used last.
//
// A token of another index than those applied is not unknown yet: the gate takes
// a linearizable view and asks again (server/api).
//
// # JWT
//
// A JSON web token is signed by the member that compared the password and
// verified by all; nobody keeps it. It holds the user's name and the revision of
// the auth table at that time, and so is void after the next change of users or
// roles, which clients answer by logging in again. With a public key only,
// members verify and something else signs.
//
// The algorithm is that of the configuration, whatever the token says: neither
// "none" nor a public key taken for a shared secret gets through.
//
// # When a token is void
//
// A simple token names the password that it was given for and the time when auth
// was turned on; a JWT has its revision. So a change of password, a user made
// again under the same name, or turning auth off and on void all of them, on
// every member, also on one that learns of it from a snapshot.
//
// Sources: RFC 7519, RFC 8725 §3.1 (algorithm verification); etcd 3.7 auth/.
package token

// Package auth is the part of the replicated state that says who may do what:
// users, roles and the permissions of roles. It decides; it proves nothing. That
// a caller is who he says (passwords, tokens, certificates) is settled before,
// at the gate (server/token, server/api); what reaches this package is a name.
//
// # The rules
//
// They are etcd's. A user has roles, a role has permissions: READ, WRITE or both
// on a key, on a range of keys, or on all keys from one on. While auth is on,
//
//   - a user with the role "root" may do everything;
//   - everyone else may touch the keys that his roles cover, all of them taken
//     together: [a, c) from one role and [c, e) from another cover [b, d);
//   - whoever has no name may do nothing.
//
// While auth is off, everyone may do everything, and the table can be prepared.
// To be turned on it needs a user "root" with the role "root", who from then on
// can't lose either.
//
// # A small example
//
//	role app   READWRITE [app/, app0)      the prefix app/
//	role read  READ      [\0, …)           every key
//	user bob   app, read
//
//	bob puts app/1                     yes, by app
//	bob reads [app/, b)                yes: [app/, app0) ∪ [\0, …) covers it
//	bob deletes app/1, wants prev_kv   yes: WRITE by app, READ by either
//	bob puts b                         no
//
// # How it is checked
//
// Each role keeps what it grants as sorted, disjoint spans, for reading and for
// writing (span.go). A range is covered if one can walk from its beginning to
// its end, each step from within a span of some role to the furthest end of those
// that hold the present key. A step costs a binary search a role; nothing is
// kept for each user, so that a change touches one role or one user.
//
// # Revisions
//
// Every change that alters the table increments its revision, but for Enable,
// as in etcd. A caller carries the revision that his proof is good for; if the
// table has moved on he gets ErrOldRevision and proves himself again. Names are
// looked up anew whenever something is checked, so that a revoked permission
// never lives on in a token.
//
// A user also knows since which revision he has his password. Tokens remember
// it: after a change of password, or once a user was deleted and made again
// under the same name, they are void on every member, even on one that learned
// of it by a snapshot.
//
// # Departures from etcd
//
//   - Granting a permission on a range that the role has already replaces the one
//     it has. etcd finds it only if no other with the same key stands before it,
//     and else adds a second one, so that a downgrade to READ leaves WRITE.
//   - Names have at most NameBytesMax bytes. etcd stops at 32 KiB, by crashing.
package auth

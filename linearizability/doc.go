// Package linearizability decides whether what clients saw is what a correct
// store could have shown them. It records a history (who asked what, when, and
// what came back), replays it in a model of its own, and gives a verdict with
// reasons. It imports nothing of the server: an oracle that shares code with
// what it judges shares its mistakes.
//
// # What is promised
//
// A verdict Holds means: there is one order of all writes, the one that the
// revisions name, which explains every reply to the last field, fits real time
// (Herlihy and Wing's linearizability; serializable reads excepted, as etcd
// excepts them), and is what every watcher saw. Violated means that no correct
// store could have produced the history; there are no false alarms, whatever
// the timing. Unknown means that the check could not decide, and counts as a
// failure.
//
// # An example
//
// Two clients, times in ms; client 2 lost its connection:
//
//	client 1  |-put a=1-|  rev 2          |-get a-| → a=2, modified 3, rev 3
//	client 2        |-put a=2---------------------------- ∞   (ambiguous)
//	client 3                  |-get a-| → a=1, modified 2, rev 2
//
// The witness puts "put a=1" at revision 2, as its reply says. Nobody was told
// of revision 3, but client 1 saw a=2 there, and only client 2's put can have
// made it. So the order is put, get by 3, put by 2, get by 1; it fits the times
// as well: client 3 returned 2 after client 1's put did, and nobody saw 3
// before it was asked for. If client 3 had called after client 1's get returned,
// revision 3 would have been known by then, and its answer stale.
//
// # The checks, and why there are several
//
//	check      trusts            finds                                  cost
//	witness    revisions         any wrong reply                        n log n
//	real-time  the witness       stale reads, replies from the future   n log n
//	watch      the witness       W1–W9, see checkWatches                n
//	window     the state before  what a mistake in the witness hides    search, ≤ 500 operations
//	per-key    values only       the same without any revision          search, key by key
//
// Searching for an order is NP-hard. Porcupine needs minutes for some thousand
// concurrent operations on one store, and a few that never returned make it
// hopeless. But etcd's header carries the revision, and who names the order can
// be asked to prove it: that is the witness, and it is linear. It believes
// nothing else: the replies must agree with its replay in values, versions,
// create and mod revisions, counts, the branch of a transaction, prev_kv.
//
// A checker may be wrong too, so two more look at the same history without the
// witness's order. Per key, Porcupine is fast even over the whole history: the
// states are values, and an ambiguous write is tied to the first read of its
// value, or left out if nobody read it (bound.go). A transaction is split into
// what it says about each key, all at once; what only the whole store shows
// (write skew) is searched in windows, on the full state, where the revisions
// of the replies prune the search.
//
// # What a recording needs
//
//   - Unique values in puts, as far as possible: they tell ambiguous writes
//     apart. prev_kv on deletes helps the per-key search.
//   - Times that enclose: the call is noted before the request leaves, the
//     return after the answer came (Recorder).
//   - Ambiguous for every error that does not promise that nothing happened.
//     Deadline, cancellation, a lost connection and a changed leader do not.
//   - A History.Log: the events of a watch of all keys from the first revision
//     on, kept to the end (or a member's log). It settles what ambiguous writes
//     did. Without it, what replies and watchers showed must suffice, and if a
//     revision was seen by nobody the verdict is Unknown.
//
// # Left out, and what it costs
//
//   - Sorting and filters of a range by revision are not modelled; the model
//     oracle of mvcc covers them. A history must not contain them.
//   - Keys that were ever under a lease are left to the witness: a lease ends
//     without an operation, and values alone would then allow anything.
//   - Ranges over more than 64 keys are checked per key on 64 of them; the
//     witness checks all.
//   - No search for anomalies in the manner of Elle: with revisions the order of
//     writes is known, and there is nothing to infer.
//
// # Sources
//
// Herlihy, Wing: Linearizability (1990). Lowe: Testing for linearizability
// (2017), and Athalye's Porcupine, which implements it. etcd's "KV API
// guarantees", and its robustness tests for the list of watch properties.
package linearizability

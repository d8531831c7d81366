// Command mutants breaks Holdfast on purpose, one small change at a time, and
// counts how many seeds the simulator needs to notice.
//
// A simulator that finds nothing proves little: it may be blind. Here each
// mutant is a mistake that somebody could make, or has made, in a store of
// this kind: a vote told before it is durable, a quorum one too small. The
// change is applied to a copy and built with go build's -overlay, so the tree
// is never touched; then the simulator runs seed after seed until a check
// fails. A mutant that survives all seeds is a hole in the checks, and an
// error; so is one whose text is no longer found, because the code around it
// has changed, and one that no longer compiles.
//
//	go run ./sim/mutants                        all, seeds 1 to 1000 at most
//	go run ./sim/mutants -only 6,46a -seeds 50  some
//	go run ./sim/mutants -sample 60s            a minute of those that die quickly; others tomorrow
//	go run ./sim/mutants -compile               do they all still apply and compile?
//	go run ./sim/mutants -json                  one JSON object a line
//	go run ./sim/mutants -readme                the measured table, README.md, from results.ndjson
//	go run ./sim/mutants -bug 6                 for learners; `holdfast sim --bug` calls this
//
// What is found out goes to results.ndjson at once. A campaign that was ended
// goes on from there: a result is asked again only if the change or the code
// is another, or if more seeds are to be tried.
//
// # Four kinds of rows
//
// Most mutants are the simulator's. A few sit where it never goes: a log that
// mistakes damage for its end looks right to it while disks are honest. Those
// name the package whose tests must fail instead, and the table says so: they
// are no credit to the simulator.
//
// Some changes can't be told from the original by anybody who only looks at
// what the store promises. Such a row carries the argument why and is not run;
// it stays in the table because the argument may stop being true, and then the
// row is where to begin. And some are mistakes in what isn't built yet; they
// keep their place in the list.
//
// # What is left out
//
// The tests of single packages kill most of the other mutants too, and faster.
// They are not asked: they know the code they test, and what is measured here
// is what a stranger to the code would see. The price is time: an unlucky
// mutant takes hundreds of seeds.
//
// The numbers are those of the mutation list that the project was planned
// with; letters are further mutants of the same class. No check knows of a
// particular one.
package main

// Package docs does what the documents say: it runs the commands that README.md and the pages of docs/ show, as a reader
// would who copies them line by line into a terminal at the root of the checkout, and it fails when one fails.
//
// Every block that is marked as sh is run, from the first to the last of a page, but for those behind a comment that
// gives a reason, which readers of the rendered page do not see:
//
//	<!-- not run: an hour -->
//
// In a block
//
//   - each line is a command of its own, which has to end with code 0;
//   - a line that ends with "# until Ctrl-C" goes on beside those behind it, until the page is through;
//   - a line "# prints: TEXT" says that the command above it prints this, sooner or later;
//   - "# prints later: TEXT" says that one that goes on prints this before the page is through;
//   - a line "# fails: TEXT" says that it ends with another code and prints this.
//
// Each page has a server of its own, started by `make run`, by the page itself if it says so. Commands are run as they stand there, with two exceptions.
// The environment tells server and clients to use other ports and another folder than the usual ones, and ports in
// 127.0.0.1:2379 and those from 7000 to 7999 are replaced by free ones, so that nothing that runs on this machine is in the way.
//
// Lines that need more than Go and curl are run when their languages are asked for, as `make examples` does:
//
//	go test -count=1 ./internal/docs -languages go,curl,python,node,java
package docs

// Command holdfast is a replicated key-value store that every etcd v3 client
// can use, and the tools around it.
//
// Without a subcommand it is the server, and takes etcd's flags:
//
//	holdfast --name n1 --data-dir n1.etcd
//
// Exit codes:
//
//	0   done; a server: stopped by a signal
//	1   the answer is no: a key isn't there, a request was refused
//	64  the command line can't be understood
//	65  the data directory is damaged, or another member's
//	69  the cluster can't be reached, or has no leader
//	74  the disk failed; the member stopped so as not to lose anything
//	78  the configuration can't work
package main

import (
	"fmt"
	"os"
)

func main() {
	tameLibraries()
	if err := execute(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "holdfast:", err)
		os.Exit(exitCode(err))
	}
}

func execute(args []string) error {
	root := newRoot()
	root.SetArgs(withDefaultCommand(args))
	return root.Execute()
}

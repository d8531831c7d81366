// Package proc runs clusters of real server processes, for the tests that a simulator cannot replace.
//
// The simulator decides whether the protocol is right; this package finds out whether the *binary* is: that it
// parses its flags, finds its data directory again, prints the line that harnesses wait for, dies under SIGKILL
// without losing an acknowledged write, and gives its ports back. Three users stand on it: internal/e2e
// (behaviour), internal/torture (faults), and bench/compare (speed).
//
// # One small example
//
//	c, err := proc.Start(ctx, proc.Options{Binary: bin, Members: 3, Dir: dir})
//	c.Members[0].Kill()                // SIGKILL; returns when the process is gone
//	c.Members[0].Restart(ctx)          // same flags, same data; returns when it serves
//	c.Stop(5 * time.Second)            // SIGTERM to all, SIGKILL to those that linger
//
// # What it guarantees
//
//   - The binary is a parameter. Anything that takes etcd's server flags and prints etcd's ready line can be
//     run, so every test and every benchmark that is run on Holdfast is run on etcd by the same code. A test that
//     etcd fails is a wrong test.
//   - No process outlives its test: on Linux a child is killed by the kernel when its parent dies (PDEATHSIG),
//     and Stop kills what a SIGTERM did not end.
//   - Ports stay with the cluster while its members are down. A process reserves a block of ports by holding a
//     listener on the first of them; the blocks lie below the range that the kernel draws outgoing ports from, so
//     neither another test nor an outgoing connection takes the port of a killed member.
//   - Logs are kept: a member appends all that it prints, over all its lives, to one file.
//
// # What is left out
//
// Network faults: real processes on loopback are killed and paused here, never partitioned; internal/torture puts
// proxies between them (Options.PeerURL) for that. Power loss: SIGKILL leaves the page cache alone, so a server that
// never synced would pass every test that is built on this package alone; --test-disk and the simulator catch that one.
package proc

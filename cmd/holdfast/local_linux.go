package main

import "syscall"

// childAttr keeps the terminal's Ctrl-C from members (they are stopped in order
// by their parent), and ends them with it.
func childAttr() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
}

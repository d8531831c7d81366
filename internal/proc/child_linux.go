package proc

import "syscall"

// childAttributes puts the child into a process group of its own, so that a Ctrl-C in the terminal reaches the
// test and not the servers that it is about to question, and has the kernel kill it when its parent dies.
func childAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}

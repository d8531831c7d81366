package main

import "syscall"

// dieWithWorker has the kernel kill a command when its worker dies, even by SIGKILL: another worker will run the task,
// and it must not run beside a command that nobody owns any more. What the command itself has started is not covered.
func dieWithWorker() *syscall.SysProcAttr { return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }

//go:build !linux

package main

import "syscall"

// dieWithWorker: only Linux ties a command's life to its worker's. Elsewhere the command of a worker that was killed
// goes on, and may overlap with the next worker's.
func dieWithWorker() *syscall.SysProcAttr { return nil }

//go:build !linux

package main

import "syscall"

// childAttr: elsewhere members get the terminal's Ctrl-C themselves, and stop.
func childAttr() *syscall.SysProcAttr { return nil }

//go:build unix && !linux

package proc

import "syscall"

// childAttributes: only Linux can tie a child's life to its parent's; elsewhere a killed test leaves servers behind.
func childAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true}
}

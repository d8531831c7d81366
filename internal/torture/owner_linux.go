package torture

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// socketOwner finds which of some processes holds the loopback connection from one port to another: its index, −1 if
// none does. The kernel lists connections with their inodes, and a process's files name theirs (proc(5)).
func socketOwner(from, to int, pids []int) int {
	inode := socketInode(from, to)
	if inode == "" {
		return -1
	}
	want := "socket:[" + inode + "]"
	for i, pid := range pids {
		if pid == 0 {
			continue
		}
		dir := fmt.Sprintf("/proc/%d/fd", pid)
		entries, err := os.ReadDir(dir)
		if err != nil {
			continue // it ended
		}
		for _, e := range entries {
			if target, err := os.Readlink(filepath.Join(dir, e.Name())); err == nil && target == want {
				return i
			}
		}
	}
	return -1
}

// socketInode looks a connection up in /proc/net/tcp, "" if it isn't there.
func socketInode(from, to int) string {
	table, err := os.ReadFile("/proc/net/tcp")
	if err != nil {
		return ""
	}
	local, remote := fmt.Sprintf("0100007F:%04X", from), fmt.Sprintf("0100007F:%04X", to)
	for line := range strings.Lines(string(table)) {
		// sl, local_address, rem_address, st, queues, timer, retransmits, uid, timeout, inode
		f := strings.Fields(line)
		if len(f) > 9 && f[1] == local && f[2] == remote && f[9] != "0" {
			return f[9]
		}
	}
	return ""
}

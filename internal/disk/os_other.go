//go:build !unix || solaris || aix || illumos

package disk

import (
	"os"
	"sync"
)

// held lists the lock files of this process. Systems without flock get no
// protection against a second process: that is what they cost.
var held struct {
	sync.Mutex
	names map[string]bool
}

func lockFile(f *os.File) (unlock func(), err error) {
	held.Lock()
	defer held.Unlock()
	if held.names[f.Name()] {
		return nil, ErrLocked
	}
	if held.names == nil {
		held.names = map[string]bool{}
	}
	held.names[f.Name()] = true
	return func() {
		held.Lock()
		defer held.Unlock()
		delete(held.names, f.Name())
	}, nil
}

// syncDir does nothing: these systems can't sync a directory through a handle.
func syncDir(string) error { return nil }

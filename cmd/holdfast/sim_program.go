package main

import (
	"os"
	"path/filepath"
	"strings"
)

// program is what the commands that this process prints begin with: the way in
// which it was called itself, so that they find the same binary, also one that
// --bug has built. A binary that the go command throws away has no such name.
func program() string {
	if strings.Contains(filepath.ToSlash(os.Args[0]), "/go-build") {
		return "holdfast"
	}
	return os.Args[0]
}

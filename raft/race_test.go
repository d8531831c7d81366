//go:build race

package raft_test

// raceDivisor shortens random tests under the race detector: there is one
// goroutine, so it has little to find here and much to slow down.
const raceDivisor = 5

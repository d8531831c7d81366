//go:build !race

package raft_test

const raceDivisor = 1

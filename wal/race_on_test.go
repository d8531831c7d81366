//go:build race

package wal

// crashStride thins out the crash test where each step costs ten times as much.
const crashStride = 7

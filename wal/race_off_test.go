//go:build !race

package wal

const crashStride = 1

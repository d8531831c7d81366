//go:build !unix

package server

// unavailable: without error numbers to compare, a missing family and a taken
// port look alike; the other family will do.
func unavailable(error) bool { return true }

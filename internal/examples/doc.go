// Package examples runs the programs of the folder examples/ as their readers would: each as a process of its own,
// against a cluster of three real servers whose leader is killed in the middle. What a program promises on its first
// lines is what its test checks.
//
// The Go programs run in every `go test`. Those in other languages need their tools and registries, so they run when
// they are asked for, which is what `make examples` does:
//
//	go test -count=1 ./internal/examples -languages go,curl,python,node,java
package examples

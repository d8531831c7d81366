package sim

import "fmt"

// Class tells what kind of promise was broken; it decides the exit code.
type Class uint8

const (
	// Passed: nothing was broken.
	Passed Class = iota
	// Crashed: the code under test panicked, or stopped itself without a
	// fault that justifies it.
	Crashed
	// Unsafe: something false was said, or something true was lost.
	Unsafe
	// Stuck: after the faults ended the cluster did not come back in time.
	Stuck
)

// ExitCode is what `holdfast sim` ends with.
func (c Class) ExitCode() int {
	return [...]int{0, 10, 11, 12}[c]
}

func (c Class) String() string {
	return [...]string{"passed", "crashed", "unsafe", "stuck"}[c]
}

// Failure is one broken promise: which check saw it, when, and the values.
type Failure struct {
	Class Class
	Check string // the invariant's id in faults.md §2.5 and its name
	At    int64  // µs
	Node  uint8
	Text  string
}

func (f Failure) Error() string {
	return fmt.Sprintf("%s: %s at %.6fs: %s", f.Class, f.Check, float64(f.At)/float64(second), f.Text)
}

// stopRun ends a run at its first failure. What follows a broken promise
// proves nothing, and the shortest trace is the best one. It is thrown as a
// panic by World.fail and caught by Run.
type stopRun struct{}

func (w *World) fail(class Class, check string, node uint8, format string, args ...any) {
	f := Failure{Class: class, Check: check, At: w.now, Node: node, Text: fmt.Sprintf(format, args...)}
	w.failure = &f
	panic(stopRun{})
}

// unsafe reports a broken safety property.
func (w *World) unsafe(check string, node uint8, format string, args ...any) {
	w.fail(Unsafe, check, node, format, args...)
}

package sim

import (
	"flag"
	"fmt"
	"testing"
)

var everyOp = flag.Bool("every-op", false, "take the power at each disk operation of a member's life, not at a sample")

// crashStories are short lives of a member in which everything is written that
// ever is: votes, entries, new segments, super, snapshots of its own and of its
// leader's, recycled segments. %d is the disk operation at which the power goes.
var crashStories = map[string]string{
	"a member that runs": `
nodes 3
seed 11
clients 4
set Replica.SegmentBytes 16384
set Replica.SnapshotLogBytesMin 8192
set Replica.CatchUpEntries 5
set Load.ThinkMean 2000
expect leader
crash 1 op %d for 50ms
wait 500ms
expect leader
isolate leader for 300ms
wait 500ms
heal
expect leader
put x 1
expect value x 1
expect caught-up 1
`,
	"a member that starts": `
nodes 3
seed 12
clients 4
set Replica.SegmentBytes 16384
set Replica.SnapshotLogBytesMin 8192
set Load.ThinkMean 2000
expect leader
wait 500ms
crash 2
wait 300ms
start 2 op %d for 50ms
wait 500ms
heal
expect leader
put x 1
expect value x 1
expect caught-up 2
`,
	"a member that stands alone": `
nodes 1
seed 13
clients 4
set Replica.SegmentBytes 16384
set Replica.SnapshotLogBytesMin 8192
set Load.ThinkMean 2000
expect leader
crash 1 op %d for 50ms
wait 700ms
heal
expect leader
put x 1
expect value x 1
`,
}

// TestEveryCrashPoint takes the power at one disk operation after the other, of
// the whole member, until the story ends before the operation comes. (The log and
// the snapshots by themselves: wal and snapshot have such tests of their own.)
func TestEveryCrashPoint(t *testing.T) {
	for name, story := range crashStories {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			points := 0
			for op := 1; ; op += stride(op) {
				s, err := ParseScenario(fmt.Sprintf(story, op))
				if err != nil {
					t.Fatal(err)
				}
				r := Run(Options{Scenario: s, Porcupine: true})
				if r.Failure != nil {
					t.Fatalf("op %d: %v\n%v", op, r.Failure, r.Recent)
				}
				if r.Count["crashes inside a disk operation"] == 0 {
					break // it has no such operation
				}
				points++
			}
			t.Logf("%d crash points", points)
			if points < 20 {
				t.Errorf("only %d crash points: the story is too short to mean anything", points)
			}
		})
	}
}

// stride samples what is long: every point of the start, then fewer.
func stride(op int) int {
	if *everyOp || op < 20 {
		return 1
	}
	return 1 + op/6
}

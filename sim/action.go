package sim

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/holdfast-db/holdfast/internal/disk"
	"github.com/holdfast-db/holdfast/raft"
)

// Action is one thing that is done to the world from outside: a fault, its end,
// or the wish of an operator. Whatever breaks the world is an action, performed
// by World.perform, which records it. So the list of a run's actions, with its
// seed, is the run: the random swarm is one way to make such a list, a file is
// another, and a list that fails can be cut down until every line of it matters.
//
// An action decides nothing by itself: what the swarm draws (who, how long) is
// drawn before and stands in its fields. Its text form is one statement of the
// scenario language (scenarios/README.md):
//
//	at 1.204113 partition 1 2 | 3 4 5 for 803.2ms
//
// Which fields count depends on the verb; the others are zero.
type Action struct {
	At   int64  // µs
	Verb string // names a row of the verb table
	// Who it is done to, and the other one if there are two.
	Who, Peer Who
	Links     []Link
	Groups    [][]Who
	// Micros is the size of the thing: a delay, a period, a pause.
	Micros int64
	// For is how long it lasts, µs; 0: until the next heal.
	For   int64
	Count int64
	Word  string
	// How a thing is damaged.
	How string
	// Disk says which operations of a disk fail.
	Disk DiskErrors
}

// DiskErrors picks operations: of these kinds, on names that contain Part, the
// Times that follow the first After of them.
type DiskErrors struct {
	Kinds []disk.OpKind // nil: all that change the disk
	Part  string
	After int64
	Times int64 // 0: all
	// Landing percent of a failing write's bytes reach the file all the same.
	Landing int64
}

// Who names a member: by its id, or by what it is at the moment of the action.
type Who struct {
	ID   raft.NodeID
	Name string // "leader", or a name that the scenario gave; only if ID is 0
}

// leaderName is the member that leads in the highest term, if any.
const leaderName = "leader"

func is(id raft.NodeID) Who { return Who{ID: id} }

func (w Who) String() string {
	if w.ID == 0 {
		return w.Name
	}
	return strconv.FormatUint(uint64(w.ID), 10)
}

// Link is one direction between two members.
type Link struct{ From, To Who }

func (l Link) String() string { return l.From.String() + ">" + l.To.String() }

// String is the statement, with its time.
func (a Action) String() string {
	return "at " + secondsText(a.At) + " " + a.Text()
}

// Text is the statement without its time.
func (a *Action) Text() string {
	b := &strings.Builder{}
	b.WriteString(a.Verb)
	if v := verbs[a.Verb]; v != nil {
		for _, p := range v.params {
			p.format(b, a)
		}
	}
	return b.String()
}

// Members lists the members that an action names by their ids.
func (a *Action) Members() (ids []raft.NodeID) {
	all := append([]Who{a.Who, a.Peer}, slices.Concat(a.Groups...)...)
	for _, l := range a.Links {
		all = append(all, l.From, l.To)
	}
	for _, w := range all {
		if w.ID != 0 && !slices.Contains(ids, w.ID) {
			ids = append(ids, w.ID)
		}
	}
	return ids
}

// perform does an action now. It is recorded if it found something to do.
func (w *World) perform(a Action) bool {
	v := verbs[a.Verb]
	if v == nil {
		panic("sim: no action is called " + a.Verb)
	}
	a.At = w.now
	// Recorded first: it may be what ends the run.
	w.script = append(w.script, a)
	if !v.do(w, &a) {
		w.script = w.script[:len(w.script)-1]
		return false
	}
	w.count.add("action " + a.Verb)
	w.trace.line(w.now, whatFault, uint8(a.Who.ID), "%s", a.Text())
	return true
}

// who finds the member that is meant; nil: there is none now.
func (w *World) who(name Who) *Node {
	switch {
	case name.ID != 0:
		return w.node(name.ID)
	case name.Name == leaderName:
		return w.leader()
	default:
		return w.node(w.names[name.Name])
	}
}

// secondsText prints a virtual time as seconds, with all its microseconds.
func secondsText(µs int64) string { return decimal(µs, second) }

// durationText prints a duration so that parseDuration gives it back.
func durationText(µs int64) string {
	switch {
	case µs >= second:
		return decimal(µs, second) + "s"
	case µs >= millisecond:
		return decimal(µs, millisecond) + "ms"
	default:
		return decimal(µs, microsecond) + "us"
	}
}

// decimal divides by a power of ten and prints what is left without an error.
func decimal(v, unit int64) string {
	whole, rest := v/unit, v%unit
	if rest == 0 {
		return strconv.FormatInt(whole, 10)
	}
	digits := len(strconv.FormatInt(unit, 10)) - 1
	return fmt.Sprintf("%d.%s", whole, strings.TrimRight(fmt.Sprintf("%0*d", digits, rest), "0"))
}

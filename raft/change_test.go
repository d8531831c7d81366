package raft

import (
	"errors"
	"reflect"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/holdfast-db/holdfast/internal/fuzz"
)

func TestChangeModel(t *testing.T) { rapid.Check(t, changeModel) }

func FuzzChange(f *testing.F) { fuzz.Model(f, changeModel) }

// changeModel compares a change of a configuration with one of a map of members:
// who is there after it, that the way leads through both majorities if the voters
// differ, and that nothing of the old configuration was written to.
func changeModel(t *rapid.T) {
	now := drawPlain(t)
	before := now.Clone()
	ch := drawChange(t)
	next, err := now.change(ch)
	if !reflect.DeepEqual(now.Members, before.Members) {
		t.Fatalf("%v became %v", before, now)
	}
	rows, ok := changedRows(&now, &ch)
	if ok != (err == nil) || err != nil && !errors.Is(err, ErrBadConfiguration) {
		t.Fatalf("%+v of %v: %v, want allowed: %v", ch, now, err, ok)
	}
	if err != nil {
		return
	}
	if err := next.Check(); err != nil || next.Joint() || len(next.Members) != len(rows) {
		t.Fatalf("%+v of %v gives %v, %v", ch, now, next, err)
	}
	for _, m := range next.Members {
		if m != rows[m.ID] {
			t.Fatalf("n%s is %+v, want %+v", m.ID, m, rows[m.ID])
		}
	}
	if !now.sameVoters(&next) {
		checkJoint(t, &now, next)
	}
}

// checkJoint: a joint configuration has the old voters on one side, the new ones
// on the other, and ends in what was asked for. A voter can't become a learner that
// is joining: ProposeConfig refuses what Check does.
func checkJoint(t *rapid.T, now *Configuration, next Configuration) {
	j := now.joint(next)
	back := slices.ContainsFunc(next.Members, func(m Member) bool {
		was, _ := now.Find(m.ID)
		return was.Voter && m.Joining
	})
	if err := j.Check(); (err != nil) != back || !j.Joint() {
		t.Fatalf("from %v to %v by %v, %v", now, next, j, err)
	}
	if back {
		return
	}
	for _, m := range j.Members {
		was, _ := now.Find(m.ID)
		will, stays := next.Find(m.ID)
		if m.OldVoter != was.Voter || m.Voter != will.Voter || m.Leaving == stays {
			t.Fatalf("from %v to %v: n%s is %+v", now, next, m.ID, m)
		}
	}
	if final := j.final(); !reflect.DeepEqual(final.Members, next.Members) {
		t.Fatalf("%v ends in %v, want %v", j, final, next)
	}
	got, err := DecodeConfiguration(AppendConfiguration(nil, j))
	if err != nil || !reflect.DeepEqual(got.Members, j.Members) {
		t.Fatalf("%v decodes to %v, %v", j, got, err)
	}
}

// changedRows is the oracle: false if the change isn't allowed.
func changedRows(now *Configuration, ch *ConfigChange) (map[NodeID]Member, bool) {
	rows, named := map[NodeID]Member{}, map[NodeID]int{}
	for _, m := range now.Members {
		rows[m.ID] = m
	}
	for _, id := range ch.Remove {
		named[id]++
		delete(rows, id)
	}
	for _, m := range ch.Set {
		named[m.ID]++
		old, known := rows[m.ID]
		if known && m.Incarnation == 0 {
			m.Incarnation = old.Incarnation
		}
		if known && old.Incarnation != 0 && old.Incarnation != m.Incarnation && (old.Voter || m.Voter) {
			return nil, false
		}
		if m.ID == 0 || m.Joining && m.Voter {
			return nil, false
		}
		rows[m.ID] = m
	}
	voters := 0
	for _, m := range rows {
		if m.Voter {
			voters++
		}
	}
	for _, n := range named {
		if n > 1 {
			return nil, false
		}
	}
	return rows, voters > 0
}

// drawPlain draws a configuration that is not joint, of members 1 to 6.
func drawPlain(t *rapid.T) Configuration {
	var c Configuration
	for id := NodeID(1); id <= 6; id++ {
		if rapid.Bool().Draw(t, "there") {
			m := drawMember(t, id)
			m.Joining = m.Joining && !m.Voter
			c.Members = append(c.Members, m)
		}
	}
	if len(c.Members) == 0 {
		c.Members = []Member{{ID: 1}}
	}
	c.Members[0].Voter, c.Members[0].Joining = true, false
	return c
}

func drawMember(t *rapid.T, id NodeID) Member {
	return Member{ID: id, Voter: rapid.Bool().Draw(t, "voter"), Joining: rapid.IntRange(0, 3).Draw(t, "joining") == 0,
		Incarnation: Incarnation(rapid.IntRange(0, 2).Draw(t, "incarnation"))}
}

func drawChange(t *rapid.T) (ch ConfigChange) {
	for range rapid.IntRange(0, 4).Draw(t, "set") {
		ch.Set = append(ch.Set, drawMember(t, NodeID(rapid.IntRange(0, 7).Draw(t, "id"))))
	}
	for range rapid.IntRange(0, 3).Draw(t, "remove") {
		ch.Remove = append(ch.Remove, NodeID(rapid.IntRange(1, 7).Draw(t, "gone")))
	}
	return ch
}

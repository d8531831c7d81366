package sim

import (
	"strings"

	"github.com/holdfast-db/holdfast/mvcc"
	"github.com/holdfast-db/holdfast/raft"
)

// expectation is a condition on the world. With "for" it must be true all that
// time, otherwise it must come true before "within" is over. After each event it
// is looked at anew, so the story goes on at the very moment it comes true.
type expectation struct {
	not    bool
	within int64
	during int64
	cond   condition
}

// condition is one thing that can be expected. begin is called when the story
// comes to it.
type condition interface {
	begin(w *World, s *step)
	holds(w *World) bool
}

// conditions by their first word, and how to read the rest.
var conditions map[string]func(t *tokens) (condition, error)

func init() {
	conditions = map[string]func(t *tokens) (condition, error){
		"leader":       readLeader,
		"follower":     readRole(raft.Follower),
		"up":           readMember(func(n *Node) bool { return n.up }),
		"stopped":      readMember(func(n *Node) bool { return !n.up }),
		"caught-up":    readMember((*Node).caughtUp),
		"log":          readLog,
		"committed":    readCommitted,
		"answer":       readAnswer,
		"value":        readValue,
		"local":        readLocal,
		"voters":       readMembers(true),
		"learners":     readMembers(false),
		"term-changes": readTerms,
		"count":        readCount,
	}
}

// conditionNames is for an error's text.
const conditionNames = "leader, follower, up, stopped, caught-up, log, committed, answer, value, local, voters, learners, term-changes, count"

func (t *tokens) expectation() (deed, error) {
	e := &expectation{within: patience}
	e.not = t.take("no") || t.take("not")
	read := conditions[t.peek()]
	if read == nil {
		return nil, t.want("something to expect (" + conditionNames + ")")
	}
	t.next()
	var err error
	if e.cond, err = read(t); err != nil {
		return nil, err
	}
	switch {
	case t.take("within"):
		e.within, err = t.duration()
	case t.take("for"):
		e.during, err = t.duration()
	}
	return e, err
}

func (e *expectation) run(w *World, s *step) {
	began := w.now
	e.cond.begin(w, s)
	met := func() bool { return e.cond.holds(w) != e.not }
	if e.during > 0 {
		if !met() || w.runUntil(w.now+e.during, func() bool { return !met() }) {
			w.storyFails(s, "it ceased to be so after %s: %s", micros(w.now-began), w.standing())
		}
		return
	}
	if !met() && !w.runUntil(w.now+e.within, met) {
		w.storyFails(s, "it is not so after %s: %s", micros(w.now-began), w.standing())
	}
	w.trace.line(w.now, whatPhase, 0, "line %d came true after %s: %s", s.line, micros(w.now-began), s.text)
}

// stateless conditions need no beginning.
type stateless func(w *World) bool

func (stateless) begin(*World, *step)   {}
func (f stateless) holds(w *World) bool { return f(w) }

// people reads the members up to a word that ends them.
func (t *tokens) people() (list []Who, err error) {
	for !t.done() && t.peek() != "for" && t.peek() != "within" {
		m, err := t.who()
		if err != nil {
			return nil, err
		}
		list = append(list, m)
	}
	return list, nil
}

// readLeader: somebody leads, or one of these does, or one that isn't.
func readLeader(t *tokens) (condition, error) {
	not := t.take("not")
	list, err := t.people()
	if err == nil && not && len(list) == 0 {
		return nil, t.want("a member")
	}
	return stateless(func(w *World) bool {
		n := w.leader()
		if n == nil || len(list) == 0 {
			return n != nil
		}
		for _, m := range list {
			if w.who(m) == n {
				return !not
			}
		}
		return not
	}), err
}

func readMember(holds func(n *Node) bool) func(t *tokens) (condition, error) {
	return func(t *tokens) (condition, error) {
		who, err := t.who()
		return stateless(func(w *World) bool { n := w.who(who); return n != nil && holds(n) }), err
	}
}

func readRole(role raft.Role) func(t *tokens) (condition, error) {
	return readMember(func(n *Node) bool { return n.up && n.last.role == role })
}

// caughtUp: it has applied all that was ever committed.
func (n *Node) caughtUp() bool { return n.up && n.last.applied == uint64(len(n.w.oracle.log)) }

// labelled finds an operation of the story.
func (w *World) labelled(s *step, label string) *op {
	o := w.labels[label]
	if o == nil {
		w.storyFails(s, "nothing was put as %s", label)
	}
	return o
}

// aboutOp is a condition on an operation.
type aboutOp struct {
	label string
	op    *op
	is    func(w *World, o *op) bool
}

func (c *aboutOp) begin(w *World, s *step) { c.op = w.labelled(s, c.label) }
func (c *aboutOp) holds(w *World) bool     { return c.is(w, c.op) }

func (t *tokens) label() (string, error) {
	if t.done() {
		return "", t.want("the label of a put")
	}
	return t.next(), nil
}

// readLog: "log 3 has a" or "log 3 lacks a", as it lies on the member's disk.
func readLog(t *tokens) (condition, error) {
	who, err := t.who()
	if err != nil {
		return nil, err
	}
	lacks := t.peek() == "lacks"
	if !t.take("has") && !t.take("lacks") {
		return nil, t.want("has or lacks")
	}
	label, err := t.label()
	return &aboutOp{label: label, is: func(w *World, o *op) bool {
		n := w.who(who)
		return n != nil && n.holds(o) != lacks
	}}, err
}

func readCommitted(t *tokens) (condition, error) {
	label, err := t.label()
	return &aboutOp{label: label, is: (*World).committed}, err
}

// readAnswer: "answer a ok".
func readAnswer(t *tokens) (condition, error) {
	label, err := t.label()
	if err != nil {
		return nil, err
	}
	for a := AnswerPending; a <= AnswerAmbiguous; a++ {
		if t.take(a.String()) {
			return &aboutOp{label: label, is: func(_ *World, o *op) bool { return o.answer == a }}, nil
		}
	}
	return nil, t.want("pending, ok, refused or ambiguous")
}

// readMembers: exactly these, in the committed configuration.
func readMembers(voters bool) func(t *tokens) (condition, error) {
	return func(t *tokens) (condition, error) {
		list, err := t.people()
		return stateless(func(w *World) bool {
			if w.oracle.config.Joint() {
				return false
			}
			found := 0
			for _, m := range w.oracle.config.Members {
				if m.Voter != voters {
					continue
				}
				if !w.among(m.ID, list) {
					return false
				}
				found++
			}
			return found == len(list)
		}), err
	}
}

func (w *World) among(id raft.NodeID, list []Who) bool {
	for _, m := range list {
		if n := w.who(m); n != nil && n.id == id {
			return true
		}
	}
	return false
}

// termChanges: the highest term of all rose by less than so much since then.
type termChanges struct {
	below raft.Term
	from  raft.Term
}

func readTerms(t *tokens) (condition, error) {
	if !t.take("<") {
		return nil, t.want("<")
	}
	v, err := t.number()
	return &termChanges{below: raft.Term(v)}, err
}

func (c *termChanges) begin(w *World, _ *step) { c.from = w.highestTerm() }
func (c *termChanges) holds(w *World) bool     { return w.highestTerm() < c.from+c.below }

func (w *World) highestTerm() (t raft.Term) {
	for _, n := range w.nodes {
		t = max(t, n.last.term)
	}
	return t
}

// readCount: a counter of the run, with dashes for blanks, has reached a number.
func readCount(t *tokens) (condition, error) {
	if t.done() {
		return nil, t.want("a counter (torn-tails)")
	}
	name := strings.ReplaceAll(t.next(), "-", " ")
	if !t.take(">=") {
		return nil, t.want(">=")
	}
	v, err := t.number()
	return stateless(func(w *World) bool { return w.count.like(name) >= v }), err
}

// like finds a counter by its name with blanks for dashes.
func (c Counters) like(name string) int64 {
	if v, ok := c[name]; ok {
		return v
	}
	for full, v := range c {
		if strings.ReplaceAll(full, "-", " ") == name {
			return v // no two counters differ in dashes only
		}
	}
	return 0
}

// valueIs asks for a key, linearizably, until a member answers; that answer must
// then be right.
type valueIs struct {
	step  *step
	key   string
	value string
	on    Who
	asked *op
}

// readValue: "value x 1", "value x none", "value x 1 on 3".
func readValue(t *tokens) (condition, error) {
	c := &valueIs{}
	if c.key = t.next(); c.key == "" {
		return nil, t.want("a key")
	}
	if c.value = t.next(); c.value == "" {
		return nil, t.want("a value, or none")
	}
	var err error
	if t.take("on") {
		c.on, err = t.who()
	}
	return c, err
}

func (c *valueIs) begin(w *World, s *step) {
	c.step = s
	c.ask(w)
}

func (c *valueIs) ask(w *World) {
	c.asked = &op{kind: opGet, given: true, query: &mvcc.RangeRequest{Key: []byte(c.key)}}
	w.tell(c.step, c.asked, c.on)
}

func (c *valueIs) holds(w *World) bool {
	switch c.asked.answer {
	case AnswerPending:
		return false
	case AnswerOK:
		if got := valueOf(c.asked.read); got != c.value {
			w.fail(Unsafe, "scenario", uint8(c.asked.node.id), "line %d, %q: the value is %s", c.step.line, c.step.text, got)
		}
		return true
	}
	if w.now > c.asked.ret+50*millisecond {
		c.ask(w)
	}
	return false
}

func valueOf(r *mvcc.RangeResult) string {
	if r == nil || len(r.KVs) == 0 {
		return "none"
	}
	return string(r.KVs[0].Value)
}

// readLocal: "local x 1 on 3": what the member itself has applied, maybe stale.
func readLocal(t *tokens) (condition, error) {
	key, value := t.next(), t.next()
	if value == "" {
		return nil, t.want("a key and a value, or none")
	}
	if !t.take("on") {
		return nil, t.want("on and a member")
	}
	who, err := t.who()
	return stateless(func(w *World) bool {
		n := w.who(who)
		if n == nil || !n.up {
			return false
		}
		r, err := stateOf(n.rep).View().KV.Range(&mvcc.RangeRequest{Key: []byte(key)})
		return err == nil && valueOf(r) == value
	}), err
}

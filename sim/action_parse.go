package sim

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/holdfast-db/holdfast/raft"
)

// ParseError tells where a script is wrong, and what belongs there.
type ParseError struct {
	Line, Column int // from 1; a column counts characters
	Text         string
}

func (e *ParseError) Error() string {
	return fmt.Sprintf("line %d, column %d: %s", e.Line, e.Column, e.Text)
}

// tokens are the words of one line.
type tokens struct {
	line  int
	words []token
	end   int // column behind the last word
}

type token struct {
	text   string
	column int
}

// splitLine cuts a line at blanks; a | is a word of its own, and # begins a
// comment.
func splitLine(number int, text string) *tokens {
	t := &tokens{line: number, end: 1}
	var word strings.Builder
	at, column := 0, 0
	flush := func() {
		if word.Len() > 0 {
			t.words = append(t.words, token{word.String(), at})
			t.end = column
			word.Reset()
		}
	}
	for _, r := range text {
		column++
		if r == '#' && word.Len() == 0 {
			break
		}
		if unicode.IsSpace(r) || r == '|' {
			flush()
			if r == '|' {
				t.words = append(t.words, token{"|", column})
				t.end = column + 1
			}
			continue
		}
		if word.Len() == 0 {
			at = column
		}
		word.WriteRune(r)
	}
	column++
	flush()
	return t
}

func (t *tokens) done() bool { return len(t.words) == 0 }

// peek returns the next word, or "".
func (t *tokens) peek() string {
	if t.done() {
		return ""
	}
	return t.words[0].text
}

func (t *tokens) next() string {
	s := t.peek()
	if !t.done() {
		t.words = t.words[1:]
	}
	return s
}

// take skips the next word if it is this one.
func (t *tokens) take(word string) bool {
	if t.peek() != word {
		return false
	}
	t.next()
	return true
}

func (t *tokens) column() int {
	if t.done() {
		return t.end
	}
	return t.words[0].column
}

// fail reports what is wrong at the next word.
func (t *tokens) fail(format string, args ...any) error {
	return &ParseError{Line: t.line, Column: t.column(), Text: fmt.Sprintf(format, args...)}
}

// want reports that something else belongs where the next word is.
func (t *tokens) want(what string) error {
	if t.done() {
		return t.fail("the line ends where %s belongs", what)
	}
	return t.fail("%q stands where %s belongs", t.peek(), what)
}

func (t *tokens) number() (int64, error) {
	v, err := strconv.ParseInt(t.peek(), 10, 64)
	if err != nil || v < 0 {
		return 0, t.want("a number")
	}
	t.next()
	return v, nil
}

func (t *tokens) who() (Who, error) {
	w, ok := parseMember(t.peek())
	if !ok {
		return w, t.want(fmt.Sprintf("a member (1 to %d, leader, or a name)", maxMembers))
	}
	t.next()
	return w, nil
}

// parseMember reads an id or a name: a letter, then letters and digits.
func parseMember(s string) (Who, bool) {
	if id, err := strconv.ParseUint(s, 10, 64); err == nil {
		return is(raft.NodeID(id)), id > 0 && id <= maxMembers && s[0] != '0'
	}
	for i, r := range s {
		if !unicode.IsLetter(r) && (i == 0 || !unicode.IsDigit(r)) {
			return Who{}, false
		}
	}
	return Who{Name: s}, s != "" && s != "for" && utf8.ValidString(s)
}

// duration reads 80ms, 1.5s, 250us, 2m.
func (t *tokens) duration() (int64, error) {
	v, ok := parseDuration(t.peek())
	if !ok {
		return 0, t.want("a duration (80ms, 1.5s, 2m)")
	}
	t.next()
	return v, nil
}

func parseDuration(s string) (int64, bool) {
	for _, u := range []struct {
		suffix string
		unit   int64
	}{{"us", microsecond}, {"µs", microsecond}, {"ms", millisecond}, {"s", second}, {"m", 60 * second}} {
		if digits, ok := strings.CutSuffix(s, u.suffix); ok {
			return parseDecimal(digits, u.unit)
		}
	}
	return 0, false
}

// microsMax bounds the times in a script: a thousand hours.
const microsMax = 1000 * 3600 * second

// parseDecimal reads a decimal number of units as microseconds. More digits
// than a microsecond has are an error, not a rounding.
func parseDecimal(s string, unit int64) (int64, bool) {
	whole, rest, _ := strings.Cut(s, ".")
	v, err := strconv.ParseUint(whole, 10, 62)
	if err != nil || v > uint64(microsMax/unit) || strings.HasSuffix(s, ".") {
		return 0, false
	}
	total := int64(v) * unit
	for _, r := range rest {
		unit /= 10
		if r < '0' || r > '9' || unit == 0 && r != '0' {
			return 0, false
		}
		total += int64(r-'0') * unit
	}
	return total, total <= microsMax
}

func parseWho(t *tokens, a *Action) (err error)  { a.Who, err = t.who(); return err }
func parsePeer(t *tokens, a *Action) (err error) { a.Peer, err = t.who(); return err }

func parseMicros(t *tokens, a *Action) (err error) { a.Micros, err = t.duration(); return err }

func parseFor(t *tokens, a *Action) (err error) {
	if t.take("for") {
		if a.For, err = t.duration(); err == nil && a.For == 0 {
			return t.fail("\"for 0s\" is nothing; leave it out for \"until the next heal\"")
		}
	}
	return err
}

// parseLinks reads A>B, A<B and A-B (both directions).
func parseLinks(t *tokens, a *Action) error {
	for !t.done() && strings.ContainsAny(t.peek(), "<>-") {
		s := t.peek()
		i := strings.IndexAny(s, "<>-")
		x, ok := parseMember(s[:i])
		y, ok2 := parseMember(s[i+1:])
		if !ok || !ok2 || x == y {
			return t.want("a link (1>2 one way, 1-2 both)")
		}
		if s[i] != '<' {
			a.Links = append(a.Links, Link{x, y})
		}
		if s[i] != '>' {
			a.Links = append(a.Links, Link{y, x})
		}
		t.next()
	}
	if len(a.Links) == 0 {
		return t.want("a link (1>2 one way, 1-2 both)")
	}
	return nil
}

// parseGroups reads members with bars between the groups.
func parseGroups(t *tokens, a *Action) error {
	for {
		var g []Who
		for !t.done() && t.peek() != "|" && t.peek() != "for" {
			w, err := t.who()
			if err != nil {
				return err
			}
			g = append(g, w)
		}
		if len(g) == 0 {
			return t.want("a member")
		}
		a.Groups = append(a.Groups, g)
		if !t.take("|") {
			break
		}
	}
	if len(a.Groups) < 2 {
		return t.want("| and a second group")
	}
	return nil
}

// ParseAction reads one action, with or without "at SECONDS" before it.
func ParseAction(text string) (Action, error) {
	t := splitLine(1, text)
	at := int64(0)
	if t.take("at") {
		var ok bool
		if at, ok = parseDecimal(t.peek(), second); !ok {
			return Action{}, t.want("a time in seconds")
		}
		t.next()
	}
	a, err := t.action()
	a.At = at
	return a, err
}

// action reads the rest of a line.
func (t *tokens) action() (Action, error) {
	v := verbs[t.peek()]
	if v == nil {
		return Action{}, t.want("an action (" + strings.Join(verbNames(), ", ") + ")")
	}
	a := Action{Verb: t.next()}
	for _, p := range v.params {
		if err := p.parse(t, &a); err != nil {
			return Action{}, err
		}
	}
	if !t.done() {
		return Action{}, t.want("the end of the line")
	}
	return a, nil
}

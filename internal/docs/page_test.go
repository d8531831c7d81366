package docs

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// command is a line to type.
type command struct {
	page   string
	line   int // in the page, from 1
	text   string
	stays  bool     // until Ctrl-C
	prints []string // what it has to print before the next command is typed
	later  []string // what it has to print before the page is through
	fails  bool
}

func (c command) String() string { return fmt.Sprintf("%s:%d: %s", c.page, c.line, c.text) }

var (
	fence  = regexp.MustCompile("^```(.*)$")
	notRun = regexp.MustCompile(`^<!-- not run: \S.* -->$`)
	stays  = regexp.MustCompile(`\s+# until Ctrl-C.*$`)
)

// parse finds the commands of a page.
func parse(page, text string) (commands []command, err error) {
	inside, runs, before := false, false, ""
	for i, line := range strings.Split(text, "\n") {
		m := fence.FindStringSubmatch(line)
		switch {
		case m != nil && !inside:
			inside, runs = true, m[1] == "sh" && !notRun.MatchString(before)
		case m != nil:
			inside = false
		case inside && runs:
			if commands, err = add(commands, command{page: page, line: i + 1}, line); err != nil {
				return nil, err
			}
		}
		if strings.TrimSpace(line) != "" {
			before = line
		}
	}
	return commands, nil
}

// add takes in one line of a block.
func add(commands []command, c command, line string) ([]command, error) {
	expected, prints := strings.CutPrefix(line, "# prints: ")
	later, printsLater := strings.CutPrefix(line, "# prints later: ")
	if f, ok := strings.CutPrefix(line, "# fails: "); ok {
		expected, c.fails = f, true
	}
	switch answer := prints || printsLater || c.fails; {
	case answer && len(commands) == 0:
		return nil, fmt.Errorf("%s:%d: no command stands above %q", c.page, c.line, line)
	case printsLater:
		last := &commands[len(commands)-1]
		last.later = append(last.later, later)
	case answer:
		last := &commands[len(commands)-1]
		last.prints, last.fails = append(last.prints, expected), last.fails || c.fails
	case line != "" && !strings.HasPrefix(line, "#"):
		c.text, c.stays = stays.ReplaceAllString(line, ""), stays.MatchString(line)
		commands = append(commands, c)
	}
	return commands, nil
}

// tools are the first words of lines that need more than Go and curl.
var tools = map[string]string{
	"mvn": "java", "npm": "node", "node": "node", "python3": "python",
	"examples/python/.venv/bin/pip": "python", "examples/python/.venv/bin/python": "python",
	"examples/curl/discovery.sh": "curl", "examples/curl/lock.sh": "curl",
}

// asked tells whether a command's language was asked for.
func (c command) asked() bool {
	language, special := tools[strings.Fields(c.text)[0]]
	return !special || slices.Contains(strings.Split(*languages, ","), language)
}

func TestParse(t *testing.T) {
	got, err := parse("P", strings.ReplaceAll(`Text
'''sh
make run          # until Ctrl-C
# prints later: x
# prints later: y
# a remark
echo '# no' done  # a remark
# prints: # no done
false
# fails: nothing
'''
'''text
echo no command
'''
<!-- not run: takes long -->

'''sh
sleep 1000
'''
'''sh
true
'''
`, "'''", "```"))
	want := []command{
		{page: "P", line: 3, text: "make run", stays: true, later: []string{"x", "y"}},
		{page: "P", line: 7, text: "echo '# no' done  # a remark", prints: []string{"# no done"}},
		{page: "P", line: 9, text: "false", prints: []string{"nothing"}, fails: true},
		{page: "P", line: 21, text: "true"},
	}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%#v (%v)", got, err)
	}
	if _, err := parse("P", "```sh\n# prints: what?\n```"); err == nil {
		t.Error("a block that begins with an answer was taken")
	}
}

// pages are the documents whose commands are run.
func pages(t *testing.T) (pages []string) {
	t.Helper()
	for _, pattern := range []string{"README.md", "docs/zookeeper.md", "docs/uses/*.md"} {
		found, err := filepath.Glob(filepath.Join(root, pattern))
		if err != nil || len(found) == 0 {
			t.Fatalf("%s: %v, %v", pattern, found, err)
		}
		for _, path := range found {
			page, err := filepath.Rel(root, path)
			if err != nil {
				t.Fatal(err)
			}
			pages = append(pages, page)
		}
	}
	return pages
}

func read(t *testing.T, page string) []command {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, page))
	if err != nil {
		t.Fatal(err)
	}
	commands, err := parse(page, string(text))
	if err != nil {
		t.Fatal(err)
	}
	return commands
}

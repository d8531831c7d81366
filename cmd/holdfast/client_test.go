package main

import (
	"bytes"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/holdfast-db/holdfast/internal/servertest"
)

// holdfast runs a command and returns what it printed.
func holdfast(t *testing.T, args ...string) (string, error) {
	t.Helper()
	root := newRoot()
	var out bytes.Buffer
	root.SetOut(&out)
	root.SetErr(io.Discard)
	root.SetArgs(withDefaultCommand(args))
	err := root.Execute()
	return out.String(), err
}

// TestCommands drives the commands for people against a member.
func TestCommands(t *testing.T) {
	address, dir := servertest.Start(t)
	t.Setenv("HOLDFAST_ENDPOINTS", address)
	for _, c := range []struct {
		args string
		want string
		code int
	}{
		{"get a", "", exitNo},
		{"put a 1", "OK revision 2\n", 0},
		{"put a 2 -o json", `{"revision":3}` + "\n", 0},
		{"put b 3", "OK revision 4\n", 0},
		{"get a", "2\n", 0},
		{"get a --revision 2", "1\n", 0},
		{"get a --revision 99", "", exitNo},
		{"get --prefix", "", exitUsage},
		{"get a --prefix", "a\t2\n", 0},
		{"get a --keys-only", "a\n", 0},
		{"get b -o json", `{"key":"b","value":"3","create_revision":4,"mod_revision":4,"version":1}` + "\n", 0},
		{"del a", "deleted 1\n", 0},
		{"del a", "deleted 0\n", exitNo},
	} {
		got, err := holdfast(t, strings.Fields(c.args)...)
		code := 0
		if err != nil {
			code = exitCode(err)
		}
		if got != c.want || code != c.code {
			t.Errorf("%s: %q, code %d (%v); want %q, code %d", c.args, got, code, err, c.want, c.code)
		}
	}
	status, err := holdfast(t, "status")
	if err != nil || !strings.Contains(status, "leader") || !strings.Contains(status, "default") {
		t.Errorf("status: %v\n%s", err, status)
	}
	verify, err := holdfast(t, "wal", "verify", dir)
	if err != nil || !strings.Contains(verify, "nothing durable is lost") {
		t.Errorf("wal verify: %v\n%s", err, verify)
	}
	cat, err := holdfast(t, "wal", "cat", "--entries", dir)
	if err != nil || !strings.Contains(cat, "command") {
		t.Errorf("wal cat: %v\n%s", err, cat)
	}
}

// TestHelpTeaches: every command says what it is for and, if it does something,
// shows how.
func TestHelpTeaches(t *testing.T) {
	for _, cmd := range newRoot().Commands() {
		if cmd.Short == "" {
			t.Errorf("%s has no description", cmd.Name())
		}
		if cmd.Example == "" && cmd.Name() != "version" && cmd.Name() != "sim" && cmd.Name() != "help" && cmd.Name() != "completion" {
			t.Errorf("%s has no example", cmd.Name())
		}
	}
}

func TestVersionText(t *testing.T) {
	if !strings.HasPrefix(versionText(), "etcd Version: 3.7.1\nGit SHA: ") || strings.Count(versionText(), "\n") != 4 {
		t.Errorf("%q", versionText())
	}
}

// TestPrefixedLines: lines of several processes stay whole and readable.
func TestPrefixedLines(t *testing.T) {
	var out bytes.Buffer
	lines := &lineWriter{w: &out}
	one, two := lines.prefixed(0, "n1"), lines.prefixed(1, "n2")
	for _, part := range []struct {
		w    io.Writer
		text string
	}{
		{one, `{"level":"info","ts":"x","caller":"y","msg":"hel`}, {two, "plain\npart"}, {one, `lo","term":3,"a":"b"}` + "\n"}, {two, "ial\n"},
	} {
		if _, err := part.w.Write([]byte(part.text)); err != nil {
			t.Fatal(err)
		}
	}
	want := "n2 │ plain\nn1 │ info  hello a=b term=3\nn2 │ partial\n"
	if out.String() != want {
		t.Errorf("got %q, want %q", out.String(), want)
	}
	if wantColor(&out) || wantColor(os.Stdin) && os.Getenv("NO_COLOR") != "" {
		t.Error("color without a terminal")
	}
}

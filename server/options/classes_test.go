package options

import (
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/holdfast-db/holdfast/server"
)

// classWords are the classes as testdata/classes has them.
var classWords = map[string]Class{"honoured": Honoured, "adapted": Adapted, "inert": Inert, "refused": Refused}

// values are what options with rules of their own can be set to, other than their
// default; the others get one by their kind.
var values = map[string]string{
	"v2-deprecation": "gone", "initial-cluster-state": "existing", "feature-gates": "CompactHashCheck=true", "metrics": "extensive",
	"discovery-fallback": "exit", "proxy": "on", "auto-compaction-mode": "revision", "cors": "http://a:1", "log-level": "debug",
}

// TestClasses goes through every flag of etcd 3.7.1, every key that only its file
// has, and ours: it is of the class that testdata/classes says, and does what its
// class promises. What is honoured or adapted changes the configuration; what is
// inert changes nothing and is warned of; what is refused is an error that names
// the flag and says what to do.
func TestClasses(t *testing.T) {
	content, err := os.ReadFile("testdata/classes")
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]Class{}
	for line := range strings.Lines(string(content)) {
		name, word, _ := strings.Cut(strings.TrimSpace(line), " ")
		class, known := classWords[word]
		if _, twice := want[name]; !known || twice {
			t.Errorf("line %q", line)
		}
		want[name] = class
	}
	if len(want) < 113 {
		t.Errorf("only %d flags are listed", len(want))
	}
	for _, r := range New().rows {
		class, listed := want[r.Name]
		if !listed || class != r.Class {
			t.Errorf("%s: class %d, listed: %t with %d", r.Name, r.Class, listed, class)
		}
		delete(want, r.Name)
		keepsPromise(t, r)
	}
	for name := range want {
		t.Errorf("%s is listed, but no flag", name)
	}
}

func keepsPromise(t *testing.T, r *row) {
	t.Helper()
	value := sample(r)
	args, file := "--"+r.Name+"="+value, ""
	if r.FileOnly {
		args, file = "", r.key()+": '"+value+"'\n"
		if section, key, nested := strings.Cut(r.key(), "."); nested {
			file = section + ":\n  " + key + ": '" + value + "'\n"
		}
	}
	s, err := parse(t, args, "", file)
	if r.Class == Refused {
		if err == nil || !strings.Contains(err.Error(), r.Name) || !strings.Contains(err.Error(), r.Why) {
			t.Errorf("%s=%s: %v", r.Name, value, err)
		}
		return
	}
	if err != nil {
		t.Errorf("%s=%s: %v", r.Name, value, err)
		return
	}
	before := server.DefaultConfig()
	changed := !cmp.Equal(before, s.Config, cmpopts.IgnoreUnexported(server.Config{}), cmpopts.IgnoreFields(server.Config{}, "Warnings"), cmpopts.EquateEmpty())
	inert := r.Class == Inert || r.Name == "metrics" // both of its values are served at once
	switch {
	case r.Class != Inert && changed == inert:
		t.Errorf("%s=%s: it changes the configuration: %t", r.Name, value, changed)
	case r.Class == Inert && r.Name != "discovery-fallback" && !strings.Contains(strings.Join(s.Config.Warnings, "\n"), r.Name):
		t.Errorf("%s=%s has no effect, and nobody is told: %q", r.Name, value, s.Config.Warnings)
	case r.Class == Inert && changed && r.Name != "bootstrap-defrag-threshold-megabytes": // a line in the log
		t.Errorf("%s=%s is inert, and changes the configuration", r.Name, value)
	}
}

// sample is a value other than an option's default.
func sample(r *row) string {
	if v, ok := values[r.Name]; ok {
		return v
	}
	switch preset := r.preset; {
	case preset == "true":
		return "false"
	case preset == "false":
		return "true"
	case strings.Contains(r.Name, "urls"):
		return "http://127.0.0.1:7"
	case r.isDuration():
		return "7m0s"
	default:
		return "7" // a number, a name, a file
	}
}

package options

import (
	"strings"
	"testing"
	"unicode/utf8"
)

// FuzzFlags: a command line and variables are refused in words, or what they set is
// read back from what is shown of it.
func FuzzFlags(f *testing.F) {
	f.Add("--name=a\n--heartbeat-interval\n200", "ETCD_ELECTION_TIMEOUT=3000")
	f.Add("-name\na\n--pre-vote=false\n--quota-backend-bytes=-1", "ETCD_NAME=b\nETCD_NOTHING=1\nHOME=x")
	f.Add("--cors=a,b\n--host-whitelist=\n--auto-compaction-retention=1h30m", "ETCD_CORS=")
	f.Add("--listen-client-urls=http://127.0.0.1:1\n--metrics=extensive\n--max-txn-ops=0x80", "ETCD_CIPHER_SUITES=a,b\nETCD_UNSUPPORTED_ARCH=arm")
	f.Add("--\nx", "=\nETCD_=1\nETCD_INITIAL_CLUSTER=a=b=c")
	f.Add("--log-outputs=a,b\n--feature-gates=A=true\n--grpc-keepalive-timeout=1e3s", "ETCD_FORCE_NEW_CLUSTER=TRUE")
	f.Fuzz(func(t *testing.T, args, environ string) {
		if strings.Contains(args, "config-file") || strings.Contains(environ, "CONFIG_FILE") {
			return // a file of this machine
		}
		if !utf8.ValidString(args + environ) {
			return // YAML has no such text
		}
		s := New()
		if err := s.Parse(words(args), words(environ)); err != nil {
			if err.Error() == "" {
				t.Fatal("an error without words")
			}
			return
		}
		shown, again := show(s, true), New()
		if err := again.readYAML("f", []byte(shown)); err != nil {
			t.Fatalf("%v\n%s", err, shown)
		}
		for i, r := range s.rows {
			if got := again.rows[i].value.String(); !r.Secret && got != r.value.String() {
				t.Fatalf("%s: %q became %q", r.Name, r.value.String(), got)
			}
		}
	})
}

// FuzzFlagIsVariable: what a flag takes its variable does, and it means the same.
func FuzzFlagIsVariable(f *testing.F) {
	f.Add(uint8(0), "a")
	f.Add(uint8(20), "1h")
	f.Add(uint8(40), "true")
	f.Add(uint8(60), "0x10")
	f.Add(uint8(80), "a,b")
	f.Fuzz(func(t *testing.T, which uint8, value string) {
		byFlag, byVariable := New(), New()
		row := byFlag.rows[int(which)%len(byFlag.rows)]
		if row.FileOnly || value == "" {
			return // an empty variable is none
		}
		err := byFlag.Parse([]string{"--" + row.Name + "=" + value}, nil)
		other := byVariable.Parse(nil, []string{row.Env() + "=" + value})
		if (err == nil) != (other == nil) {
			t.Fatalf("%s=%q: %v, as a variable %v", row.Name, value, err, other)
		}
		if err != nil {
			return
		}
		if a, b := show(byFlag, false), show(byVariable, false); a != b {
			t.Fatalf("%s=%q:\n%s\nas a variable\n%s", row.Name, value, a, b)
		}
	})
}

func show(s *Set, origins bool) string {
	var b strings.Builder
	s.Show(&b, origins)
	return b.String()
}

func words(lines string) (list []string) {
	for line := range strings.SplitSeq(lines, "\n") {
		if line != "" {
			list = append(list, line)
		}
	}
	return list
}

package options

import (
	"fmt"
	"slices"
	"strings"
)

// foreign variables begin like ours and are known to mean something else.
var foreign = []string{"ETCD_UNSUPPORTED_ARCH"}

// readEnv sets options from ETCD_* variables. One that names no option is for
// somebody else: a warning, for it may be a misspelling. Empty ones are unset,
// as in etcd.
func (s *Set) readEnv(environ []string) error {
	known := map[string]*row{}
	for _, r := range s.rows {
		if !r.FileOnly {
			known[r.Env()] = r
		}
	}
	for _, pair := range slices.Sorted(slices.Values(environ)) {
		name, value, _ := strings.Cut(pair, "=")
		r := known[name]
		switch {
		case !strings.HasPrefix(name, EnvPrefix) || slices.Contains(foreign, name):
		case name == EnvPrefix+"CONFIG_FILE":
			if s.File == "" {
				s.File = value
			}
		case r == nil:
			s.warnings = append(s.warnings, "unrecognized environment variable "+name)
		case value != "":
			if err := r.set(value, Origin{FromEnv, name}); err != nil {
				return fmt.Errorf("invalid value %q for %s: %w", value, name, err)
			}
		}
	}
	return nil
}

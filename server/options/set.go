package options

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/holdfast-db/holdfast/server"
)

// TestDiskVariable has to be "yes" for --test-disk to be taken: nobody gets a
// disk that loses data by a slip in a flag.
const TestDiskVariable = "HOLDFAST_ALLOW_TEST_DISK"

// Set is the table with values: those of a configuration, and where each came
// from.
type Set struct {
	// Config is what the values make.
	Config server.Config
	// File is the configuration file's path, "" for none.
	File string
	// Version is set by --version: nothing else counts then.
	Version bool

	flags    *flag.FlagSet
	rows     []*row
	byName   map[string]*row
	warnings []string
}

// row is an option with its value.
type row struct {
	Option
	group  string
	value  flag.Value
	preset string // the default, as the value prints it
	origin Origin
}

// Origin says where a value came from.
type Origin struct {
	Kind OriginKind
	Name string // the variable, or the file's path
}

// OriginKind is a place that values come from.
type OriginKind int

// The places, the weakest first.
const (
	FromDefault OriginKind = iota
	FromFile
	FromEnv
	FromFlag
)

// String is what "config show" prints.
func (o Origin) String() string {
	switch o.Kind {
	case FromFile:
		return "file " + o.Name
	case FromEnv:
		return "env " + o.Name
	case FromFlag:
		return "flag"
	default:
		return "default"
	}
}

// New is the table with all defaults.
func New() *Set {
	s := &Set{Config: server.DefaultConfig(), byName: map[string]*row{}}
	s.flags = flag.NewFlagSet("etcd", flag.ContinueOnError)
	s.flags.SetOutput(io.Discard)
	s.flags.Usage = func() {}
	for _, g := range Table() {
		for _, o := range g.Options {
			s.add(g.Name, o)
		}
	}
	s.flags.StringVar(&s.File, "config-file", "", "")
	s.flags.BoolVar(&s.Version, "version", false, "")
	s.flags.StringVar(&s.Config.TestDisk, "test-disk", "", "") // in no help: it is for those who torture servers
	return s
}

func (s *Set) add(group string, o Option) {
	fs := s.flags
	if o.FileOnly {
		fs = flag.NewFlagSet("", flag.ContinueOnError)
	}
	o.bind(fs, &s.Config, o.Name)
	r := &row{Option: o, group: group, value: fs.Lookup(o.Name).Value}
	r.preset = r.value.String()
	s.rows = append(s.rows, r)
	s.byName[o.Name] = r
}

// Bool adds a flag that belongs to a command and not to a member.
func (s *Set) Bool(name string) *bool { return s.flags.Bool(name, false, "") }

// Parse reads flags, then variables ("NAME=value"), then the file, each filling
// in what the former left open. flag.ErrHelp means that help was asked for.
func (s *Set) Parse(args, environ []string) error {
	if err := s.flags.Parse(args); err != nil {
		return err
	}
	if rest := s.flags.Args(); len(rest) > 0 {
		return fmt.Errorf("%q is not a valid flag", rest[0])
	}
	if s.Config.TestDisk != "" && !slices.Contains(environ, TestDiskVariable+"=yes") {
		return fmt.Errorf("--test-disk loses data on purpose, and is refused unless the variable %s is \"yes\"", TestDiskVariable)
	}
	s.flags.Visit(func(f *flag.Flag) {
		if r := s.byName[f.Name]; r != nil {
			r.origin = Origin{Kind: FromFlag}
		}
	})
	if err := s.readEnv(environ); err != nil {
		return err
	}
	if err := s.readFile(); err != nil {
		return err
	}
	if err := s.refuse(); err != nil {
		return err
	}
	s.finish()
	return nil
}

// set gives a value to a row that no stronger origin has set.
func (r *row) set(text string, from Origin) error {
	if r.origin.Kind >= from.Kind {
		return nil
	}
	if err := r.value.Set(text); err != nil {
		return plain(err)
	}
	r.origin = from
	return nil
}

// plain takes package strconv's frame off an error, as package flag does.
func plain(err error) error {
	switch text := err.Error(); {
	case strings.HasSuffix(text, ": invalid syntax"):
		return errors.New("parse error")
	case strings.HasSuffix(text, ": value out of range"):
		return errors.New("value out of range")
	default:
		return err
	}
}

// asks tells whether an option was set to something else than its default.
func (r *row) asks() bool {
	return r.origin.Kind != FromDefault && r.value.String() != r.preset
}

func (s *Set) refuse() error {
	for _, r := range s.rows {
		if r.Class == Refused && r.asks() {
			return fmt.Errorf("%s: %s", r.spelling(), r.Why)
		}
	}
	// etcd's sample of a file says so, and etcd doesn't read it there.
	if r := s.byName["discovery-fallback"]; r.value.String() == "proxy" && r.origin.Kind != FromFile {
		return errors.New(`v2 proxy is deprecated, and --discovery-fallback can't be configured as "proxy"`)
	}
	return nil
}

// spelling names an option the way that the operator did.
func (r *row) spelling() string {
	switch r.origin.Kind {
	case FromFile:
		return r.origin.Name + ": " + r.key()
	case FromEnv:
		return r.origin.Name
	default:
		return "--" + r.Name
	}
}

// finish handles defaults that depend on what was set, and collects warnings.
func (s *Set) finish() {
	listen, advertise := s.byName["listen-client-urls"].origin.Kind, s.byName["advertise-client-urls"].origin.Kind
	if listen > FromFile && advertise == FromDefault {
		s.Config.AdvertiseClientURLs = "" // Start refuses: others must not be told localhost
	}
	s.Config.Warnings = s.warnings
	for _, r := range s.rows {
		if w := r.warning(); w != "" {
			s.Config.Warnings = append(s.Config.Warnings, w)
		}
	}
}

// warning is what the operator should know about a value, "" for nothing.
func (r *row) warning() string {
	switch {
	case r.origin.Kind == FromDefault:
		return ""
	case r.Deprecated != "":
		return r.Deprecated
	case r.Class == Inert && r.asks():
		return fmt.Sprintf("%s has no effect: %s", r.spelling(), r.Why)
	case r.Class == Adapted && r.asks() && r.Name == "snapshot-count":
		return r.spelling() + " does not trigger snapshots: the size of the log does"
	}
	return ""
}

package options

import (
	"flag"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/holdfast-db/holdfast/server"
)

// field finds where a value goes.
type field[T any] func(*server.Config) *T

// nowhere is the field of an option that does nothing: its values are still
// checked for their kind.
func nowhere[T any](value T) field[T] {
	return func(*server.Config) *T {
		v := value
		return &v
	}
}

func text(f field[string]) binder {
	return func(fs *flag.FlagSet, c *server.Config, name string) {
		p := f(c)
		fs.StringVar(p, name, *p, "")
	}
}

func truth(f field[bool]) binder {
	return func(fs *flag.FlagSet, c *server.Config, name string) {
		p := f(c)
		fs.BoolVar(p, name, *p, "")
	}
}

func span(f field[time.Duration]) binder {
	return func(fs *flag.FlagSet, c *server.Config, name string) {
		p := f(c)
		fs.DurationVar(p, name, *p, "")
	}
}

func integer(f field[int]) binder {
	return func(fs *flag.FlagSet, c *server.Config, name string) {
		p := f(c)
		fs.IntVar(p, name, *p, "")
	}
}

func integer64(f field[int64]) binder {
	return func(fs *flag.FlagSet, c *server.Config, name string) {
		p := f(c)
		fs.Int64Var(p, name, *p, "")
	}
}

func natural(f field[uint]) binder {
	return func(fs *flag.FlagSet, c *server.Config, name string) {
		p := f(c)
		fs.UintVar(p, name, *p, "")
	}
}

func natural64(f field[uint64]) binder {
	return func(fs *flag.FlagSet, c *server.Config, name string) {
		p := f(c)
		fs.Uint64Var(p, name, *p, "")
	}
}

func natural32(f field[uint32]) binder {
	return func(fs *flag.FlagSet, c *server.Config, name string) { fs.Var((*uint32Value)(f(c)), name, "") }
}

// uint32Value is an unsigned number of 32 bits; package flag has none.
type uint32Value uint32

func (v *uint32Value) Set(s string) error {
	n, err := strconv.ParseUint(s, 0, 32)
	if err == nil {
		*v = uint32Value(n)
	}
	return err
}

func (v *uint32Value) String() string { return strconv.FormatUint(uint64(*v), 10) }

// list is a text of items separated by commas; a file may have it as a list.
func list(f field[string]) binder {
	return func(fs *flag.FlagSet, c *server.Config, name string) { fs.Var((*listValue)(f(c)), name, "") }
}

type listValue string

func (v *listValue) Set(s string) error {
	*v = listValue(s)
	return nil
}

func (v *listValue) String() string { return string(*v) }

// checked is a text that must pass a check, whose error completes
// `invalid value "x" for flag -name: `.
func checked(f field[string], check func(string) error) binder {
	return func(fs *flag.FlagSet, c *server.Config, name string) {
		fs.Var(&checkedValue{f(c), check}, name, "")
	}
}

type checkedValue struct {
	to    *string
	check func(string) error
}

func (v *checkedValue) Set(s string) error {
	if err := v.check(s); err != nil {
		return err
	}
	*v.to = s
	return nil
}

func (v *checkedValue) String() string {
	if v.to == nil { // package flag asks a zero value for its default
		return ""
	}
	return *v.to
}

// oneOf is a choice; etcd says no more about another value than that.
func oneOf(f field[string], valid ...string) binder {
	return checked(f, func(s string) error {
		if slices.Contains(valid, s) {
			return nil
		}
		return fmt.Errorf("invalid value")
	})
}

// someOf is a list of choices.
func someOf(f field[string], valid ...string) binder {
	return checked(f, func(s string) error {
		for part := range strings.SplitSeq(s, ",") {
			if !slices.Contains(valid, part) {
				return fmt.Errorf("invalid value %q", part)
			}
		}
		return nil
	})
}

// urls is a list of URLs; the words in except stand for something else.
func urls(f field[string], except ...string) binder {
	return checked(f, func(s string) error {
		if slices.Contains(except, s) {
			return nil
		}
		return server.CheckURLs(s)
	})
}

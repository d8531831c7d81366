package options

import (
	"flag"
	"strings"

	"github.com/holdfast-db/holdfast/server"
)

// Class says how a flag of etcd's is treated.
type Class int

const (
	// Honoured means what it means in etcd.
	Honoured Class = iota
	// Adapted means the nearest thing that exists here; Why says which.
	Adapted
	// Inert is accepted and does nothing; Why says why nothing is missed.
	Inert
	// Refused is an error, unless it asks for the default; Why says what to do.
	Refused
)

// Option is a row of the table.
type Option struct {
	// Name is the flag's. The variable is ETCD_ and the name in capitals.
	Name string
	// Key is where the file has it, parts joined by dots. "": under Name.
	Key string
	// FileOnly rows are no flags.
	FileOnly bool
	// Class and Why say what it does here, Help what it is for.
	Class Class
	Why   string
	Help  string
	// Deprecated replaces the warning that the row would give.
	Deprecated string
	// Default is what Help shows if the value itself doesn't say it.
	Default string
	// Secret values are not shown.
	Secret bool

	bind binder
}

// Group is a section of the help, as etcd's has them.
type Group struct {
	Name    string
	Options []Option
}

// Ours is the group of flags that etcd doesn't have.
const Ours = "Holdfast"

// Table is every option, in the order of etcd's help.
func Table() []Group {
	return []Group{
		{"Member", member()},
		{"Clustering", clustering()},
		{"Security", security()},
		{"Auth", auth()},
		{"Profiling and Monitoring", monitoring()},
		{"Logging", logging()},
		{"Distributed tracing", distributedTracing()},
		{"Features", features()},
		{"Unsafe feature", unsafeFeatures()},
		{Ours, ours()},
	}
}

// EnvPrefix opens the names of variables.
const EnvPrefix = "ETCD_"

// Env is the name of the variable.
func (o *Option) Env() string {
	return EnvPrefix + strings.ToUpper(strings.ReplaceAll(o.Name, "-", "_"))
}

// key is where the file has it.
func (o *Option) key() string {
	if o.Key != "" {
		return o.Key
	}
	return o.Name
}

// binder makes the flag over its field of the configuration, whose value is the
// default.
type binder func(fs *flag.FlagSet, c *server.Config, name string)

// Package options is the table of everything an operator can set: etcd's flags
// with their defaults, and what each does here. Whoever reads the command line,
// the environment or a file reads this table; nothing else knows a flag's name.
//
// # Where a value comes from
//
// A flag wins over an ETCD_* variable, a variable over the file that
// --config-file names, the file over the default. (etcd ignores flags and
// variables once there is a file. Who starts a member with both is surprised by
// that; who relies on it, and passes flags that contradict the file, is rarer.)
//
//	--heartbeat-interval 200          flag: one dash or two, "=" or a space, the last of several counts
//	ETCD_HEARTBEAT_INTERVAL=200       variable: the flag's name in capitals; an empty one is unset
//	heartbeat-interval: 200           file: YAML or JSON, keys as in etcd's sample
//
// What can't be understood is an error, in etcd's words where it has some: an
// unknown flag, an unknown key in the file, a value of the wrong kind. An
// unknown ETCD_* variable is only worth a warning, for it may belong to another
// program. "holdfast config show --origin" prints each value and its origin.
//
// # Classes
//
// Each row has a [Class], from "means what it means in etcd" to "refused". A
// flag that has no effect is accepted with one warning if it asks for something
// other than the default, so that scripts written for etcd start Holdfast
// unchanged; one that asks for something that the operator would miss is refused.
//
// Where to read: option.go has a row's parts, the table_*.go files the rows in
// the order of etcd's help, set.go how values are found.
package options

package server

import (
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
)

// gate is one of etcd's features that can be switched.
type gate struct {
	name   string
	beta   bool // else alpha
	preset bool
}

func (g *gate) stage() string {
	if g.beta {
		return "BETA"
	}
	return "ALPHA"
}

// gates are those of etcd 3.7. The names that start with All set every gate of a
// stage that isn't set by itself.
var gates = []gate{
	{"AllAlpha", false, false},
	{"AllBeta", true, false},
	{"CompactHashCheck", false, false},
	{"FastLeaseKeepAlive", true, true},
	{"InitialCorruptCheck", false, false},
	{"LeaseCheckpoint", false, false},
	{"LeaseCheckpointPersist", false, false},
	{"PriorityRequest", false, false},
	{"SetMemberLocalAddr", false, false},
	{"StopGRPCServiceOnDefrag", false, false},
	{"TxnModeWriteWithSharedBuffer", true, true},
}

// CheckGates tells what is wrong with a value of --feature-gates.
func CheckGates(list string) error {
	_, err := parseGates(list)
	return err
}

// GateHelp lists the gates with their defaults.
func GateHelp() string {
	var parts []string
	for _, g := range gates {
		parts = append(parts, fmt.Sprintf("%s (%s, default %t)", g.name, g.stage(), g.preset))
	}
	return strings.Join(parts, ", ")
}

// parseGates reads NAME=true|false,… into the value of every gate. Errors are
// etcd's.
func parseGates(list string) (map[string]bool, error) {
	set := map[string]bool{}
	for item := range strings.SplitSeq(list, ",") {
		if item == "" {
			continue
		}
		name, text, ok := strings.Cut(item, "=")
		name, text = strings.TrimSpace(name), strings.TrimSpace(text)
		if !ok {
			return nil, fmt.Errorf("missing bool value for %s", name)
		}
		value, err := strconv.ParseBool(text)
		if err != nil {
			return nil, fmt.Errorf("invalid value of %s=%s, err: %w", name, text, err)
		}
		if !slices.ContainsFunc(gates, func(g gate) bool { return g.name == name }) {
			return nil, fmt.Errorf("unrecognized feature gate: %s", name)
		}
		set[name] = value
	}
	return effectiveGates(set), nil
}

func effectiveGates(set map[string]bool) map[string]bool {
	out := map[string]bool{}
	for _, g := range gates {
		all := "AllAlpha"
		if g.beta {
			all = "AllBeta"
		}
		value, explicit := set[g.name]
		stage, staged := set[all]
		switch {
		case explicit:
			out[g.name] = value
		case staged:
			out[g.name] = stage
		default:
			out[g.name] = g.preset
		}
	}
	return out
}

// localAddress finds, for the gate SetMemberLocalAddr, the address that links to
// peers are dialled from: the first one that is advertised to them and that
// others can see. Their check of our certificate then meets that address.
func (s *settings) localAddress() (ip net.IP, wanted bool) {
	if !s.gates["SetMemberLocalAddr"] {
		return nil, false
	}
	for _, u := range s.advertise {
		if ip := net.ParseIP(u.Hostname()); ip != nil && !ip.IsLoopback() && !ip.IsUnspecified() {
			return ip, true
		}
	}
	return nil, true
}

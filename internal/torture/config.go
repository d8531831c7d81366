package torture

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Fault is a kind of thing that goes wrong.
type Fault string

// The kinds. What each does is told in nemesis.go and weather.go.
const (
	Kill      Fault = "kill"      // SIGKILL: any member, the leader, a majority
	KillAll   Fault = "killall"   // SIGKILL to all members at once
	Stop      Fault = "stop"      // SIGSTOP, later SIGCONT
	Cut       Fault = "cut"       // links between members, both directions or one
	Delay     Fault = "delay"     // of what members send to each other
	PowerLoss Fault = "powerloss" // a killed member loses what it did not sync
	SlowDisk  Fault = "slowdisk"  // syncs take long, or stall
	FailDisk  Fault = "faildisk"  // writes or syncs fail; the disk is full
	Churn     Fault = "churn"     // members are removed, and join again with nothing
	Roll      Fault = "roll"      // each member in turn is stopped with SIGTERM, and started
	Rebuild   Fault = "rebuild"   // each member in turn is removed, and joins again with nothing
	Renew     Fault = "renew"     // certificates and authorities change in turn, permissions too: Secure only
)

// Faults are all kinds.
func Faults() []Fault {
	return []Fault{Kill, KillAll, Stop, Cut, Delay, Churn, Roll, Rebuild, Renew, PowerLoss, SlowDisk, FailDisk}
}

// needsTestDisk tells whether the server has to be told of its disk.
func (f Fault) needsTestDisk() bool { return f == PowerLoss || f == SlowDisk || f == FailDisk }

// FaultsOfAnyServer are those that need nothing of the server. etcd reads its authorities once.
func FaultsOfAnyServer() []Fault {
	return slices.DeleteFunc(Faults(), func(f Fault) bool { return f.needsTestDisk() || f == Renew })
}

// ParseFaults reads kinds separated by commas; "all" and "none" are words, too.
func ParseFaults(text string) ([]Fault, error) {
	switch text {
	case "all":
		return Faults(), nil
	case "none", "":
		return nil, nil
	}
	var out []Fault
	for word := range strings.SplitSeq(text, ",") {
		f := Fault(strings.TrimSpace(word))
		if !slices.Contains(Faults(), f) {
			return nil, fmt.Errorf("there is no fault %q; there are %s", word, strings.Trim(fmt.Sprint(Faults()), "[]"))
		}
		if !slices.Contains(out, f) {
			out = append(out, f)
		}
	}
	return out, nil
}

// Config says how hard to try. The zero value of a field is not usable unless it says so; see Defaults.
type Config struct {
	Binary   string        // server under test
	Dir      string        // for data and logs; must exist
	Members  int           // 1 and more
	Writers  int           // concurrent clients
	Keys     int           // keys that they write to
	Watchers int           // concurrent watchers
	Rounds   int           // rounds on the same cluster, at most; 0: no bound, For has one
	For      time.Duration // no round begins after so long; 0: Rounds decides
	Length   time.Duration // of a round's load, healing and checks not counted
	Seed     uint64        // of requests and faults
	Faults   []Fault       // kinds that happen
	Network  NetworkKind   // between members; "" is Proxies
	Secure   bool          // TLS with certificates of both sides everywhere, users with passwords and roles
	Each     bool          // a round goes on until everything that the nemesis may do was done once
	Args     []string      // further flags for the servers

	OnRound  func(Round)  // called as each round ends; nil for nothing
	OnStatus func(Status) // called about each second; nil for nothing
	KeepDir  string       // where the report and the histories of failed rounds go; "" for nowhere
}

// Defaults is a round that finds things and fits into a test.
func Defaults() Config {
	return Config{Members: 3, Writers: 64, Keys: 1024, Watchers: 8, Rounds: 1, Length: 10 * time.Second, Seed: 1, Faults: insecure(Faults())}
}

// insecure leaves out what needs certificates.
func insecure(fs []Fault) []Fault {
	return slices.DeleteFunc(fs, func(f Fault) bool { return f == Renew })
}

// AllFaults are those that can happen to a cluster of this configuration.
func (c Config) AllFaults() []Fault {
	if c.Secure {
		return Faults()
	}
	return insecure(Faults())
}

func (c Config) has(f Fault) bool { return slices.Contains(c.Faults, f) }

func (c Config) validate() error {
	switch {
	case c.Binary == "" || c.Dir == "":
		return fmt.Errorf("torture: no binary or no folder")
	case c.Network != "" && c.Network != Proxies && c.Network != Namespaces:
		return fmt.Errorf("torture: no network %q", c.Network)
	case c.has(Renew) && !c.Secure:
		return fmt.Errorf("torture: %s is for secure clusters", Renew)
	case c.Members < 1 || c.Writers < 1 || c.Keys < 10 || c.Rounds < 0 || c.For < 0 || c.Rounds == 0 && c.For == 0 || c.Length <= 0 || c.Watchers < 0:
		return fmt.Errorf("torture: %d members, %d writers, %d keys, %d watchers, %d rounds of %v, for %v make no test",
			c.Members, c.Writers, c.Keys, c.Watchers, c.Rounds, c.Length, c.For)
	}
	return nil
}

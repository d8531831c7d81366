package torture

import (
	"fmt"
	"io"
	"time"
)

// Config says how hard to try. The zero value of a field is not usable unless it says so; see Defaults.
type Config struct {
	Binary   string        // server under test
	Dir      string        // for data and logs; must exist
	Members  int           // 1 and more
	Writers  int           // concurrent clients
	Keys     int           // keys that they write to
	Watchers int           // concurrent watchers
	Rounds   int           // rounds on the same cluster
	Length   time.Duration // of a round's load, healing and checks not counted
	Seed     uint64        // of requests and faults
	Args     []string      // further flags for the servers
	Progress io.Writer     // a line for each round as it ends; nil for none
	KeepDir  string        // where the histories of a failed round are written; "" for nowhere
}

// Defaults is a round that finds things and fits into a test.
func Defaults() Config {
	return Config{Members: 3, Writers: 64, Keys: 1024, Watchers: 8, Rounds: 1, Length: 10 * time.Second, Seed: 1}
}

func (c Config) validate() error {
	switch {
	case c.Binary == "" || c.Dir == "":
		return fmt.Errorf("torture: no binary or no folder")
	case c.Members < 1 || c.Writers < 1 || c.Keys < 10 || c.Rounds < 1 || c.Length <= 0 || c.Watchers < 0:
		return fmt.Errorf("torture: %d members, %d writers, %d keys, %d watchers, %d rounds of %v make no test",
			c.Members, c.Writers, c.Keys, c.Watchers, c.Rounds, c.Length)
	}
	return nil
}

package e2e

import (
	"fmt"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/holdfast-db/holdfast/internal/proc"
)

// names replaces what differs between two runs of a script by what it stands for.
type names struct {
	known  *strings.Replacer
	leases map[string]string // lease id in hexadecimal → its name
	byName map[string]string // the other way round, for commands that speak of one
}

// volatile are fields that count internal steps or measure time and space; a script pins that they are there.
var volatile = []struct {
	pattern *regexp.Regexp
	with    string
}{
	{regexp.MustCompile(`"(raft_term|raftTerm|raftIndex|raftAppliedIndex|dbSize|dbSizeInUse|dbSizeQuota|took)":"?[0-9.a-zµ]+"?`), `"$1":<n>`},
	{regexp.MustCompile(`"(RaftTerm|RaftIndex|RaftAppliedIndex|DBSize|DBSizeInUse|DBSizeQuota)" : [0-9]+`), `"$1" : <n>`},
	{regexp.MustCompile(`took = [0-9.]+[a-zµ]+`), `took = <time>`},
	{regexp.MustCompile(`remaining\([0-9]+s\)`), `remaining(<s>)`},
	{regexp.MustCompile(`"ttl":[0-9]+`), `"ttl":<s>`},
}

// etcdctl prints a lease as 16 hexadecimal digits, and in one format as a decimal field.
var (
	leaseID    = regexp.MustCompile(`\b[0-9a-f]{16}\b`)
	leaseField = regexp.MustCompile(`"Lease" : ([1-9][0-9]*)`)
)

// nameMembers asks a new cluster for its ids.
func nameMembers(t *testing.T, c *proc.Cluster) *names {
	client := connect(t, c.Endpoints()...)
	members, err := client.MemberList(timeout(t, 20*time.Second))
	if err != nil {
		t.Fatal(err)
	}
	var pairs []string
	number := func(id uint64, name string) {
		pairs = append(pairs, fmt.Sprintf("%d", id), name, fmt.Sprintf("%x", id), name)
	}
	number(members.Header.ClusterId, "<cluster>")
	for _, m := range members.Members {
		number(m.ID, "<"+m.Name+">")
	}
	for _, m := range c.Members {
		pairs = append(pairs, host(m.ClientURL), "<"+m.Name+" client>", host(m.PeerURL), "<"+m.Name+" peer>")
	}
	return &names{known: strings.NewReplacer(pairs...), leases: map[string]string{}, byName: map[string]string{}}
}

func host(s string) string {
	u, err := url.Parse(s)
	if err != nil {
		panic(err) // the harness made it
	}
	return u.Host
}

// apply puts names into what a tool printed.
func (n *names) apply(s string) string {
	s = n.known.Replace(s)
	for _, v := range volatile {
		s = v.pattern.ReplaceAllString(s, v.with)
	}
	s = leaseID.ReplaceAllStringFunc(s, n.leaseName)
	return leaseField.ReplaceAllStringFunc(s, func(field string) string {
		id, err := strconv.ParseInt(leaseField.FindStringSubmatch(field)[1], 10, 64)
		if err != nil {
			return field
		}
		return `"Lease" : ` + n.leaseName(fmt.Sprintf("%016x", id))
	})
}

func (n *names) leaseName(id string) string {
	name, ok := n.leases[id]
	if !ok {
		name = fmt.Sprintf("<lease%d>", len(n.leases)+1)
		n.leases[id], n.byName[name] = name, id
	}
	return name
}

// expand puts ids into a command.
func (n *names) expand(command string) string {
	for name, id := range n.byName {
		command = strings.ReplaceAll(command, name, id)
	}
	return command
}

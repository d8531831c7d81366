package e2e

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/holdfast-db/holdfast/internal/proc"
)

// TestReconfigure plays an operator's day with etcdctl on three members of Holdfast and, line by line, of etcd: what
// the tool prints must be the same but for ids and addresses.
func TestReconfigure(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	transcripts := map[string]string{}
	t.Run("day", func(t *testing.T) {
		for name, binary := range map[string]string{"holdfast": serverBinary, "etcd": etcdBinary} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				d := &operator{T: t, cluster: startBinary(t, binary, 3)}
				d.day()
				mu.Lock()
				defer mu.Unlock()
				transcripts[name] = d.transcript.String()
			})
		}
	})
	if transcripts["holdfast"] != transcripts["etcd"] {
		t.Errorf("holdfast:\n%s\netcd:\n%s", transcripts["holdfast"], transcripts["etcd"])
	}
}

// operator types commands and writes down what comes of them.
type operator struct {
	*testing.T
	cluster    *proc.Cluster
	transcript strings.Builder
	added      uint64
}

// day grows a cluster by a learner, promotes it, moves leadership, and shrinks.
func (o *operator) day() {
	o.ctl("member add early --peer-urls=http://127.0.0.1:1")
	time.Sleep(5500 * time.Millisecond) // etcd's HealthInterval
	o.ctl("member add bad --peer-urls=nonsense")
	o.ctl("member add twice --peer-urls=" + o.cluster.Members[0].PeerURL)
	o.ctl("member remove 123")
	o.ctl("member update 123 --peer-urls=http://127.0.0.1:1")
	o.ctl("member promote 123")
	o.ctl("member promote " + hexID(o.id("n1")))
	learner := o.join()
	o.ctl("member add learner --learner --peer-urls=" + learner.PeerURL)
	o.added = o.id("")
	o.ctl("member add another --learner --peer-urls=http://127.0.0.1:1")
	o.ctl("member promote " + hexID(o.added))
	if err := learner.Restart(timeout(o.T, 30*time.Second)); err != nil {
		o.Fatal(err)
	}
	o.table()
	o.ctlAt(learner, "get k")
	o.ctlAt(learner, "get k --consistency=s")
	o.ctlAt(learner, "member list")
	o.ctlAt(learner, "put k v")
	o.until("member promote " + hexID(o.added))
	o.table()
	time.Sleep(5500 * time.Millisecond)
	o.ctl("move-leader " + hexID(o.added))
	o.ctl("move-leader 123")
	o.ctl("endpoint health --cluster")
	o.ctl("member update " + hexID(o.added) + " --peer-urls=" + learner.PeerURL)
	o.ctlAt(o.cluster.Members[0], "member remove "+hexID(o.added)) // of itself etcd says "server stopped"
	select {
	case <-learner.Exited():
	case <-time.After(20 * time.Second):
		o.Error("a removed member goes on")
	}
	o.note("the removed member ended")
	o.table()
}

func (o *operator) join() *proc.Member {
	m, err := o.cluster.Join()
	if err != nil {
		o.Fatal(err)
	}
	return m
}

// leader is the member that leads now: commands go to it, so that both servers answer alike.
func (o *operator) leader() *proc.Member {
	client := connect(o.T, o.cluster.Endpoints()...)
	for range 100 {
		for _, m := range o.cluster.Members {
			if !m.Running() {
				continue
			}
			if st, err := client.Status(timeout(o.T, 5*time.Second), m.ClientURL); err == nil && st.Leader == st.Header.MemberId {
				return m
			}
		}
		time.Sleep(100 * time.Millisecond)
	}
	o.Fatal("no leader")
	return nil
}

// id finds a member by its name; "" is one that hasn't started.
func (o *operator) id(name string) uint64 {
	list := must(connect(o.T, o.leader().ClientURL).MemberList(timeout(o.T, 20*time.Second)))(o)
	for _, m := range list.Members {
		if m.Name == name {
			return m.ID
		}
	}
	o.Fatalf("no member %q in %v", name, list)
	return 0
}

func hexID(id uint64) string { return strconv.FormatUint(id, 16) }

func (o *operator) ctl(command string) string { return o.ctlAt(o.leader(), command) }

func (o *operator) ctlAt(m *proc.Member, command string) string {
	s := &script{t: o.T, cluster: o.cluster, names: &names{known: strings.NewReplacer()}}
	cmd := s.command(timeout(o.T, 30*time.Second), []string{m.ClientURL}, command)
	text, err := cmd.CombinedOutput()
	out := withoutClientLog(string(text))
	if err != nil {
		out += err.Error() + "\n"
	}
	out = o.replacer().Replace(took.ReplaceAllString(out, "took = <time>"))
	if strings.HasPrefix(command, "endpoint health") { // in the order of answers
		out = strings.Join(slices.Sorted(strings.Lines(out)), "")
	}
	out = initialCluster.ReplaceAllStringFunc(out, func(line string) string { // in the order of ids
		members := strings.Split(strings.Trim(strings.TrimPrefix(line, "ETCD_INITIAL_CLUSTER="), `"`), ",")
		slices.Sort(members)
		return "ETCD_INITIAL_CLUSTER=" + strings.Join(members, ",")
	})
	o.note(o.replacer().Replace(command) + "\n" + out)
	return out
}

// until repeats a command while the learner isn't in sync; its last answer is noted.
func (o *operator) until(command string) {
	for range 100 {
		before := o.transcript.String()
		if !strings.Contains(o.ctl(command), "in sync with leader") {
			return
		}
		o.transcript.Reset()
		o.transcript.WriteString(before)
		time.Sleep(100 * time.Millisecond)
	}
	o.Errorf("%s: never", command)
}

// table notes who the members are, without what differs between two clusters.
func (o *operator) table() {
	list := must(connect(o.T, o.leader().ClientURL).MemberList(timeout(o.T, 20*time.Second)))(o)
	var lines []string
	for _, m := range list.Members {
		lines = append(lines, fmt.Sprintf("%s learner=%t\n", m.Name, m.IsLearner))
	}
	slices.Sort(lines)
	o.note(strings.Join(lines, ""))
}

func (o *operator) note(s string) {
	o.transcript.WriteString(strings.TrimRight(withoutIDs(s), "\n") + "\n")
}

func (o *operator) replacer() *strings.Replacer {
	pairs := []string{os.TempDir(), "<tmp>"}
	for _, m := range o.cluster.Members {
		pairs = append(pairs, host(m.ClientURL), "<"+m.Name+" client>", host(m.PeerURL), "<"+m.Name+" peer>")
	}
	return strings.NewReplacer(pairs...)
}

var initialCluster = regexp.MustCompile(`ETCD_INITIAL_CLUSTER=.*`)

var took = regexp.MustCompile(`took = [0-9.]+[a-zµ]+`)

// anyID is 16 hexadecimal digits, or fewer if the first are zeros.
var anyID = regexp.MustCompile(` *\b[0-9a-f]{12,16}\b`)

// withoutIDs blanks out ids, with the spaces that stand for leading zeros.
func withoutIDs(s string) string { return anyID.ReplaceAllString(s, " <id>") }

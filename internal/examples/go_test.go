package examples

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
)

// TestGoConfig: two writers at once, the leader killed in the middle, a reader who follows. Every version is there once,
// and the reader has seen each, in order.
func TestGoConfig(t *testing.T) {
	need(t, "go")
	t.Parallel()
	c := start(t)
	c.goProgram(t, "config", "set", "db", "start").succeed()
	reader := c.goProgram(t, "config", "watch", "db")
	reader.says(10*time.Second, "db = start")

	const each = 12
	done := make(chan bool)
	for w := range 2 {
		go func() {
			defer func() { done <- true }()
			for i := range each {
				c.goProgram(t, "config", "set", "db", fmt.Sprintf("writer%d-%02d", w, i), "--note", "test").succeed()
			}
		}()
	}
	time.Sleep(200 * time.Millisecond)
	c.killLeader(t)
	<-done
	<-done

	history := c.goProgram(t, "config", "history", "db").succeed()
	rows := strings.Split(strings.TrimSpace(history), "\n")[1:]
	if len(rows) != 1+2*each {
		t.Fatalf("%d versions, %d were written:\n%s", len(rows), 1+2*each, history)
	}
	var want []string
	for i, row := range rows {
		fields := strings.Fields(row)
		if fields[0] != strconv.Itoa(i+1) {
			t.Errorf("row %d: %s", i+1, row)
		}
		want = append(want, fields[1])
	}
	eventually(t, 10*time.Second, "the reader sees the last version", func() bool { return len(reader.matching("db = ")) >= len(want) })
	if got := reader.matching("db = "); !slices.Equal(got, want) {
		t.Errorf("the reader saw\n%q, the history is\n%q", got, want)
	}

	out := c.goProgram(t, "config", "rollback", "db", "1").succeed()
	if want := fmt.Sprintf("db is at version %d\n", len(rows)+1); out != want {
		t.Errorf("rollback printed %q, not %q", out, want)
	}
	if out := c.goProgram(t, "config", "get", "db").succeed(); out != "start\n" {
		t.Errorf("after the rollback: %q", out)
	}
	for _, bad := range [][]string{{"rollback", "db", "99"}, {"rollback", "db", "x"}, {"get", "none"}, {"history", "none"}} {
		p := c.goProgram(t, "config", bad...)
		if code := p.wait(20 * time.Second); code != 1 || !strings.HasPrefix(p.out.String(), "config: ") {
			t.Errorf("%v: exit code %d, %s", bad, code, p.out)
		}
	}
}

// TestGoDiscovery: a server that is killed is called no more, one that stops is gone at once, and a change of leader
// takes nobody off the list.
func TestGoDiscovery(t *testing.T) {
	need(t, "go")
	t.Parallel()
	c := start(t)
	var servers []*program
	var addresses []string
	for range 3 {
		p := c.goProgram(t, "discovery", "serve", "--ttl", "3")
		p.says(10*time.Second, "registered services/greeter/")
		servers, addresses = append(servers, p), append(addresses, p.matching("serving on ")[0])
	}
	caller := c.goProgram(t, "discovery", "call", "--every", "20ms")
	for _, a := range addresses {
		caller.says(10*time.Second, "answered by "+a)
	}

	c.killLeader(t)
	if got := c.goProgram(t, "discovery", "list").succeed(); len(strings.Fields(got)) != 3 {
		t.Errorf("after the leader's death these are left:\n%s", got)
	}

	servers[0].stop() // signs off
	if got := c.goProgram(t, "discovery", "list").succeed(); strings.Contains(got, addresses[0]) {
		t.Errorf("%s has stopped and is still listed:\n%s", addresses[0], got)
	}
	servers[1].kill() // cannot sign off
	eventually(t, 10*time.Second, "the dead server's lease runs out", func() bool { return len(c.get(t, "services/greeter/").Kvs) == 1 })

	time.Sleep(300 * time.Millisecond) // what the caller knew is known to it again
	before := len(caller.out.lines())
	eventually(t, 10*time.Second, "calls go on", func() bool { return len(caller.out.lines()) > before+20 })
	for _, line := range caller.out.lines()[before:] {
		if line != "answered by "+addresses[2] {
			t.Errorf("with one server left: %s", line)
		}
	}
}

// TestGoLock: whatever happens to leader and holders, the tokens of writes that passed never fall, and a sleeper's write
// does not pass.
func TestGoLock(t *testing.T) {
	need(t, "go")
	t.Parallel()
	c := start(t)
	resource := c.goProgram(t, "lock", "resource", "--listen", "127.0.0.1:0")
	resource.says(10*time.Second, "resource on http")
	url := resource.matching("resource on ")[0]
	work := func(name string, more ...string) *program {
		return c.goProgram(t, "lock", append([]string{"work", "--resource", url, "--name", name, "--ttl", "2", "--hold", "30ms"}, more...)...)
	}
	sleeper := work("sleeper", "--stall", "5s", "--rounds", "1")
	sleeper.says(10*time.Second, "falls asleep")
	a, b := work("a", "--rounds", "15"), work("b", "--rounds", "15")
	killed := work("killed", "--rounds", "0")
	a.says(20*time.Second, "a/2 written")
	killed.kill()
	c.killLeader(t)
	a.succeed()
	b.succeed()
	sleeper.says(20*time.Second, "refused by the resource")

	last, holder := 0, ""
	for _, line := range resource.matching("written: ") {
		who, token, _ := strings.Cut(line, " token ")
		n, err := strconv.Atoi(token)
		if err != nil || n < last || n == last && who != holder {
			t.Errorf("%q after token %d of %s", line, last, holder)
		}
		last, holder = n, who
	}
	for _, who := range []string{"a", "b"} {
		for i := 1; i <= 15; i++ {
			if !strings.Contains(resource.out.String(), fmt.Sprintf("written: %s/%d ", who, i)) {
				t.Errorf("%s/%d was not written", who, i)
			}
		}
	}
	sleeper.kill() // its round is repeated until it passes; it need not
}

// TestGoElection: three candidates, a hand-over, a leader that sleeps through its replacement, a death. Every number was
// counted once, by whoever led at that revision.
func TestGoElection(t *testing.T) {
	need(t, "go")
	t.Parallel()
	c := start(t)
	candidates := map[string]*program{}
	run := func(name string, more ...string) {
		candidates[name] = c.goProgram(t, "election", append([]string{"run", "--name", name, "--ttl", "2", "--every", "20ms"}, more...)...)
	}
	watcher := c.goProgram(t, "election", "watch")
	run("sleeper", "--stall", "6s")
	candidates["sleeper"].says(20*time.Second, "sleeper falls asleep")
	for _, name := range []string{"a", "b", "c"} {
		run(name)
	}
	leader := func() string {
		kvs := c.get(t, "elections/counter/").Kvs
		slices.SortFunc(kvs, func(x, y *kv) int { return int(x.CreateRevision - y.CreateRevision) })
		if len(kvs) == 0 {
			return ""
		}
		return string(kvs[0].Value)
	}
	counts := func(n int) {
		t.Helper()
		before := len(c.everyChange(t, "jobs/counter"))
		eventually(t, 15*time.Second, "counting goes on", func() bool { return len(c.everyChange(t, "jobs/counter")) >= before+n })
	}
	counts(10)
	candidates["sleeper"].says(20*time.Second, "sleeper leads no more: another leads")
	candidates["sleeper"].kill()
	c.killLeader(t)
	counts(10)

	first := leader()
	began := time.Now()
	candidates[first].stop()
	eventually(t, 5*time.Second, "another leads", func() bool { l := leader(); return l != "" && l != first })
	t.Logf("handed over in %v", time.Since(began).Round(time.Millisecond))
	counts(10)

	second := leader()
	candidates[second].kill()
	eventually(t, 10*time.Second, "the third leads", func() bool { l := leader(); return l != "" && l != second })
	counts(10)
	third := leader()

	checkLed(t, c)
	for _, who := range []string{first, second, third} {
		watcher.says(10*time.Second, "leader: "+who)
	}
}

// checkLed: each change of the counter is by the candidate who led at that revision.
func checkLed(t *testing.T, c *cluster) {
	t.Helper()
	now := c.get(t, "jobs/counter").Kvs[0]
	there := map[string]*kv{}
	changes := c.Watch(timeout(t, 20*time.Second), "", clientv3.WithPrefix(), clientv3.WithRev(1))
	for n := 0; n < int(now.Version); {
		r, ok := <-changes
		if !ok || r.Err() != nil {
			t.Fatalf("after %d changes: %v", n, r.Err())
		}
		for _, e := range r.Events {
			key := string(e.Kv.Key)
			switch {
			case key == "jobs/counter":
				n++
				oldest := ""
				for k, kv := range there {
					if oldest == "" || kv.CreateRevision < there[oldest].CreateRevision {
						oldest = k
					}
				}
				if oldest == "" || string(e.Kv.Value) != fmt.Sprintf("%d by %s", n, there[oldest].Value) {
					t.Fatalf("change %d of the counter is %q; candidates: %v", n, e.Kv.Value, there)
				}
			case e.Type == clientv3.EventTypeDelete:
				delete(there, key)
			default:
				there[key] = e.Kv
			}
		}
	}
}

// TestGoReload: every change arrives, a broken one is refused, and the server never restarts.
func TestGoReload(t *testing.T) {
	need(t, "go")
	t.Parallel()
	c := start(t)
	server := c.goProgram(t, "reload", "--listen", "127.0.0.1:0")
	server.says(10*time.Second, "serving on http")
	url := server.matching("serving on ")[0]
	is := func() (s reloadStatus) { fetchJSON(t, url+"/config", &s); return s }

	const changes = 20
	for i := 1; i <= changes; i++ {
		value := fmt.Sprintf(`{"greeting": "number %d", "maxPerSecond": 50}`, i)
		if i == 7 {
			value = `{"greeting": "", "maxPerSecond": 50}`
		}
		c.goProgram(t, "config", "set", "web", value).succeed()
		if i == 10 {
			c.killLeader(t)
		}
	}
	eventually(t, 10*time.Second, "all changes arrive", func() bool { return is().Seen >= changes })
	if s := is(); s.Seen != changes || s.Refused != 1 || s.Problem != "" || s.Settings.Greeting != "number 20" {
		t.Errorf("%+v", s)
	}
	if got := fetch(t, url); got != "number 20\n" {
		t.Errorf("greeted with %q", got)
	}
	c.goProgram(t, "config", "set", "web", `{"greting": "typo"}`).succeed()
	eventually(t, 10*time.Second, "a misspelt name is refused", func() bool { return strings.Contains(is().Problem, "greting") })
	c.goProgram(t, "config", "rollback", "web", "3").succeed()
	eventually(t, 10*time.Second, "a rollback is in use", func() bool { s := is(); return s.Settings.Greeting == "number 3" && s.Problem == "" })
}

// TestGoScheduler: three workers, one killed, the leader killed. Every task has its result, and no task was run twice at
// once.
func TestGoScheduler(t *testing.T) {
	need(t, "go")
	t.Parallel()
	c := start(t)
	record := filepath.Join(t.TempDir(), "runs")
	script := fmt.Sprintf(`echo $TASK_ID $TASK_FENCE begin $(date +%%s%%N) >> %[1]s; sleep 0.4; echo $TASK_ID $TASK_FENCE end $(date +%%s%%N) >> %[1]s`, record)
	workers := map[string]*program{}
	for _, name := range []string{"a", "b", "c"} {
		workers[name] = c.goProgram(t, "scheduler", "worker", "--name", name, "--ttl", "2", "--at-once", "2")
	}
	const once = 16
	for i := range once {
		c.goProgram(t, "scheduler", "add", fmt.Sprintf("task%02d", i), "--in", fmt.Sprintf("%dms", 150*i), "--", "sh", "-c", script).succeed()
	}
	c.goProgram(t, "scheduler", "add", "beat", "--every", "500ms", "--", "sh", "-c", script).succeed()
	if p := c.goProgram(t, "scheduler", "add", "beat", "--", "true"); p.wait(10*time.Second) != 1 {
		t.Errorf("a task was added twice: %s", p.out)
	}

	eventually(t, 20*time.Second, "worker b runs a task", func() bool { return len(c.held(t, "b")) > 0 })
	workers["b"].killAlone()
	killed := time.Now()
	c.killLeader(t)
	results := func(prefix string) int { return len(c.get(t, "results/"+prefix).Kvs) }
	eventually(t, 40*time.Second, "every task is done", func() bool { return results("task") == once })
	beats := results("beat/")
	eventually(t, 20*time.Second, "the periodic task goes on", func() bool { return results("beat/") >= beats+3 })
	c.goProgram(t, "scheduler", "remove", "beat").succeed()
	checkOddTasks(t, c)
	if left := c.get(t, "tasks/"); len(left.Kvs) != 0 {
		t.Errorf("%d tasks are left", len(left.Kvs))
	}
	if out := c.goProgram(t, "scheduler", "results", "task00").succeed(); !strings.Contains(out, "run 1 by ") {
		t.Errorf("results: %q", out)
	}
	workers["a"].stop()
	workers["c"].stop()
	checkRuns(t, record, killed)
}

// checkOddTasks: an id is used once until it is removed, a task that prints more than the store takes has a result, and
// one that is removed while it runs does not stand in the way of the next of its name.
func checkOddTasks(t *testing.T, c *cluster) {
	t.Helper()
	add := func(id, script string) *program {
		return c.goProgram(t, "scheduler", "add", id, "--", "sh", "-c", script)
	}
	if p := add("task01", "true"); p.wait(10*time.Second) != 1 {
		t.Errorf("a task whose results are there was added again: %s", p.out)
	}
	add("long", "head -c 3000000 /dev/zero | tr '\\0' x; echo the end").succeed()
	eventually(t, 20*time.Second, "a long output is handed in", func() bool { return len(c.get(t, "results/long/").Kvs) == 1 })
	if out := c.goProgram(t, "scheduler", "results", "long").succeed(); len(out) > 100_000 || !strings.Contains(out, "the end") {
		t.Errorf("a long output was kept as %d bytes", len(out))
	}
	add("twice", "sleep 2").succeed()
	eventually(t, 20*time.Second, "it runs", func() bool { return len(c.get(t, "claims/twice").Kvs) == 1 })
	c.goProgram(t, "scheduler", "remove", "twice").succeed()
	add("twice", "echo again").succeed()
	eventually(t, 20*time.Second, "the second one runs", func() bool { return len(c.get(t, "results/twice/").Kvs) == 1 })
	if out := c.goProgram(t, "scheduler", "results", "twice").succeed(); !strings.Contains(out, "again") {
		t.Errorf("the second one: %q", out)
	}
}

// held lists the tasks that a worker has claimed.
func (c *cluster) held(t *testing.T, worker string) (ids []string) {
	for _, kv := range c.get(t, "claims/").Kvs {
		if string(kv.Value) == worker {
			ids = append(ids, string(kv.Key))
		}
	}
	return ids
}

// checkRuns looks for two runs of one task that overlap. A run without an end was that of the killed worker, and ended
// with it at the latest.
func checkRuns(t *testing.T, record string, killed time.Time) {
	data, err := os.ReadFile(record)
	if err != nil {
		t.Fatal(err)
	}
	type run struct{ begin, end int64 }
	runs := map[string][]*run{}
	open := map[string]*run{}
	for line := range strings.Lines(string(data)) {
		f := strings.Fields(line)
		at, err := strconv.ParseInt(f[3], 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		key := f[0] + " " + f[1]
		if f[2] == "begin" {
			open[key] = &run{begin: at, end: killed.UnixNano()}
			runs[f[0]] = append(runs[f[0]], open[key])
			continue
		}
		open[key].end = at
	}
	for id, all := range runs {
		slices.SortFunc(all, func(a, b *run) int { return int(a.begin - b.begin) })
		for i := 1; i < len(all); i++ {
			if all[i].begin < all[i-1].end {
				t.Errorf("%s: run %d began %v before the one before it had ended", id, i+1, time.Duration(all[i-1].end-all[i].begin))
			}
		}
	}
	if len(runs) < 17 {
		t.Errorf("%d tasks have run", len(runs))
	}
}

// TestGoTransfer: the sum stays, and each transfer that was reported done has left one receipt.
func TestGoTransfer(t *testing.T) {
	need(t, "go")
	t.Parallel()
	c := start(t)
	c.goProgram(t, "transfer", "open", "--accounts", "6", "--each", "100").succeed()
	p := c.goProgram(t, "transfer", "run", "--accounts", "6", "--transfers", "1500", "--clients", "12")
	eventually(t, 20*time.Second, "transfers happen", func() bool { return c.get(t, "transfers/").Count > 50 })
	c.killLeader(t)
	var done, poor, again int
	if _, err := fmt.Sscanf(p.succeed(), "done %d, refused for want of money %d, attempts that another overtook or nobody answered %d", &done, &poor, &again); err != nil {
		t.Fatalf("%v: %s", err, p.out)
	}
	if done+poor != 1500 || again == 0 {
		t.Errorf("no contention, or not all were tried: %s", p.out)
	}
	want := fmt.Sprintf("accounts 6, sum 600, lowest %s, transfers %d\n", "%d", done)
	out := c.goProgram(t, "transfer", "check").succeed()
	var lowest int
	if _, err := fmt.Sscanf(out, want, &lowest); err != nil || lowest < 0 {
		t.Errorf("%q, not %q (%v)", out, want, err)
	}
}

// The Go examples' own tests, of what needs no cluster.
func TestGoOwn(t *testing.T) {
	need(t, "go")
	test := exec.Command("go", "test", "./...")
	test.Dir = filepath.Join(root, "examples", "go")
	if out, err := test.CombinedOutput(); err != nil {
		t.Errorf("go test: %v\n%s", err, out)
	}
}

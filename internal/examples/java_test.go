package examples

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

func javaFolder() string { return filepath.Join(root, "examples", "java") }

// classpath compiles the Java examples, once, and returns what java needs to run them.
var classpath = sync.OnceValues(func() (string, error) {
	dir := javaFolder()
	file := filepath.Join(built, "classpath")
	mvn := exec.Command("mvn", "-q", "-B", "compile", "dependency:build-classpath", "-Dmdep.outputFile="+file)
	mvn.Dir = dir
	if out, err := mvn.CombinedOutput(); err != nil {
		return "", fmt.Errorf("mvn: %w\n%s", err, out)
	}
	libraries, err := os.ReadFile(file)
	return filepath.Join(dir, "target", "classes") + ":" + strings.TrimSpace(string(libraries)), err
})

// javaProgram starts an example; its arguments follow the endpoints.
func (c *cluster) javaProgram(t *testing.T, class string, args ...string) *program {
	t.Helper()
	path, err := classpath()
	if err != nil {
		t.Fatal(err)
	}
	endpoints := strings.Join(c.Cluster.Endpoints(), ",")
	return launch(t, exec.Command("java", append([]string{"-XX:TieredStopAtLevel=1", "-cp", path, "dev.holdfast.examples." + class, endpoints}, args...)...))
}

// TestJavaAsTheReadmeSays: Maven runs the two programs that everything began with, and they print what they should.
func TestJavaAsTheReadmeSays(t *testing.T) {
	need(t, "java")
	c := start(t)
	if _, err := classpath(); err != nil {
		t.Fatal(err)
	}
	for class, want := range map[string]string{
		"EtcdConfigManagement":    "Value: localhost:3306\n",
		"EtcdServiceRegistration": "Service registered successfully\n",
	} {
		mvn := exec.Command("mvn", "-q", "-B", "compile", "exec:java", "-Dexec.mainClass=dev.holdfast.examples."+class,
			"-Dexec.args="+c.Cluster.Endpoints()[0])
		mvn.Dir = javaFolder()
		if out := strings.ReplaceAll(launch(t, mvn).succeed(), "\x1b[0m", ""); out != want { // Maven resets the colour
			t.Errorf("%s printed %q, not %q", class, out, want)
		}
	}
	eventually(t, 15*time.Second, "the registration ends with its lease", func() bool { return len(c.get(t, "services/service1").Kvs) == 0 })
}

// TestJavaServices: a watcher sees instances come, stop and die, and none go because the leader died.
func TestJavaServices(t *testing.T) {
	need(t, "java")
	t.Parallel()
	c := start(t)
	watcher := c.javaProgram(t, "ServiceWatcher")
	watcher.says(60*time.Second, "Services: {")
	stays := c.javaProgram(t, "ServiceInstance", "web", "10.0.0.1:80")
	stops := c.javaProgram(t, "ServiceInstance", "web", "10.0.0.2:80")
	dies := c.javaProgram(t, "ServiceInstance", "web", "10.0.0.3:80")
	for _, a := range []string{"10.0.0.1:80", "10.0.0.2:80", "10.0.0.3:80"} {
		watcher.says(60*time.Second, "There: services/web/"+a)
	}
	c.killLeader(t)
	if text := watcher.out.String(); strings.Contains(text, "Gone:") {
		t.Errorf("the leader's death took an instance away:\n%s", text)
	}
	stops.terminate()
	watcher.says(3*time.Second, "Gone: services/web/10.0.0.2:80") // at once: before any TTL
	dies.kill()
	watcher.says(30*time.Second, "Gone: services/web/10.0.0.3:80")
	if kvs := c.get(t, "services/web/").Kvs; len(kvs) != 1 || string(kvs[0].Value) != "10.0.0.1:80" {
		t.Errorf("left: %v", kvs)
	}
	if !strings.Contains(stops.out.String(), "Signed off") {
		t.Errorf("it did not sign off:\n%s", stops.out)
	}
	stays.terminate()
}

// TestJavaLock: turns of three processes, the leader killed among them: each number is counted once.
func TestJavaLock(t *testing.T) {
	need(t, "java")
	t.Parallel()
	c := start(t)
	const turns = 8
	var workers []*program
	for _, name := range []string{"a", "b", "c"} {
		workers = append(workers, c.javaProgram(t, "LockedCounter", name, strconv.Itoa(turns)))
	}
	workers[0].says(60*time.Second, "a counted")
	c.killLeader(t)
	for _, w := range workers {
		w.succeed()
	}
	values := c.everyChange(t, "jobs/java-counter")
	for i, v := range values {
		if v != strconv.Itoa(i+1) {
			t.Fatalf("change %d of the counter is %s", i+1, v)
		}
	}
	if len(values) != 3*turns {
		t.Errorf("counted to %d, not %d", len(values), 3*turns)
	}
}

// TestJavaElection: one leads and counts; a stop hands over, a kill is noticed. Every number was counted once, by one
// leader at a time.
func TestJavaElection(t *testing.T) {
	need(t, "java")
	t.Parallel()
	c := start(t)
	candidates := map[string]*program{}
	for _, name := range []string{"a", "b", "c"} {
		candidates[name] = c.javaProgram(t, "LeaderElection", name)
	}
	leads := func(not ...string) (who string) {
		t.Helper()
		eventually(t, 60*time.Second, "somebody leads", func() bool {
			for name, p := range candidates {
				if n := strings.Count(p.out.String(), " leads since"); n > strings.Count(p.out.String(), " leads no more") && !slices.Contains(not, name) {
					who = name
				}
			}
			return who != ""
		})
		return who
	}
	first := leads()
	c.killLeader(t)
	candidates[first].terminate()
	second := leads(first)
	candidates[second].kill()
	third := leads(first, second)
	for _, who := range []string{first, second} {
		if !strings.Contains(candidates[who].out.String(), who+" leads since") {
			t.Errorf("%s has not led:\n%s", who, candidates[who].out)
		}
	}
	if third == first || third == second {
		t.Errorf("%s leads again", third)
	}
	before := len(c.everyChange(t, "jobs/java-elected"))
	eventually(t, 20*time.Second, "the third counts", func() bool { return len(c.everyChange(t, "jobs/java-elected")) > before+5 })
	for i, value := range c.everyChange(t, "jobs/java-elected") {
		if value != strconv.Itoa(i+1) {
			t.Fatalf("change %d of the counter is %s", i+1, value)
		}
	}
}

// TestJavaTransfer: the sum stays.
func TestJavaTransfer(t *testing.T) {
	need(t, "java")
	t.Parallel()
	c := start(t)
	var runs []*program
	for range 3 {
		runs = append(runs, c.javaProgram(t, "Transfer", "60"))
	}
	eventually(t, 60*time.Second, "transfers happen", func() bool { return c.get(t, "java-transfers/").Count > 10 })
	c.killLeader(t)
	done := 0
	for _, r := range runs {
		r.succeed()
		n, err := strconv.Atoi(strings.Join(r.matching("Transfers: "), ""))
		if err != nil {
			t.Fatalf("%v:\n%s", err, r.out)
		}
		done += n
	}
	sum := 0
	for _, kv := range c.get(t, "java-accounts/").Kvs {
		n, err := strconv.Atoi(string(kv.Value))
		if err != nil || n < 0 {
			t.Errorf("%s = %s", kv.Key, kv.Value)
		}
		sum += n
	}
	if receipts := c.get(t, "java-transfers/").Count; sum != 400 || int(receipts) != done {
		t.Errorf("sum %d, receipts %d, reported %d", sum, receipts, done)
	}
}

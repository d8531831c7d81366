package examples

import (
	"context"
	"strings"
	"syscall"
	"testing"
	"time"
)

// away stops a program, ends every connection it has by killing all servers and starting them anew, lets changes happen,
// and wakes the program up: as after a suspended machine.
func (c *cluster) away(t *testing.T, p *program, changes func()) {
	t.Helper()
	signal(t, p, syscall.SIGSTOP)
	if err := c.KillAll(); err != nil {
		t.Fatal(err)
	}
	if err := c.StartAll(); err != nil {
		t.Fatal(err)
	}
	if err := c.WaitReady(timeout(t, 30*time.Second)); err != nil {
		t.Fatal(err)
	}
	changes()
	signal(t, p, syscall.SIGCONT)
}

// signal reaches a program and what it has started.
func signal(t *testing.T, p *program, s syscall.Signal) {
	t.Helper()
	if err := syscall.Kill(-p.cmd.Process.Pid, s); err != nil {
		t.Fatal(err)
	}
}

func (c *cluster) put(t *testing.T, key, value string) {
	t.Helper()
	c.do(t, func(ctx context.Context) error { _, err := c.Put(ctx, key, value); return err })
}

func (c *cluster) remove(t *testing.T, key string) {
	t.Helper()
	c.do(t, func(ctx context.Context) error { _, err := c.Delete(ctx, key); return err })
}

// forget compacts all history but the newest revision.
func (c *cluster) forget(t *testing.T) {
	t.Helper()
	now := c.get(t, "none").Header.Revision
	if _, err := c.Compact(timeout(t, 10*time.Second), now); err != nil {
		t.Fatal(err)
	}
}

// do repeats a request until it has been answered: the servers have just been started.
func (c *cluster) do(t *testing.T, request func(context.Context) error) {
	t.Helper()
	var err error
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		err = request(ctx)
		cancel()
		if err == nil {
			return
		}
	}
	t.Fatal(err)
}

// TestGoConfigAway: a reader who was away sees every version, once and in order, unless they have been compacted. Then it
// says so and goes on from the newest.
func TestGoConfigAway(t *testing.T) {
	need(t, "go")
	t.Parallel()
	c := start(t)
	set := func(values ...string) {
		for _, v := range values {
			c.goProgram(t, "config", "set", "db", v).succeed()
		}
	}
	set("1")
	reader := c.goProgram(t, "config", "watch", "db")
	reader.says(10*time.Second, "db = 1\n")
	c.away(t, reader, func() { set("2", "3", "4") })
	reader.says(20*time.Second, "db = 4\n")
	c.away(t, reader, func() { set("5", "6"); c.forget(t) })
	reader.says(20*time.Second, "db = 6\n")
	set("7")
	reader.says(10*time.Second, "db = 7\n")
	want := "db = 1\ndb = 2\ndb = 3\ndb = 4\n(changes were missed: they have been compacted)\ndb = 6\ndb = 7\n"
	if got := reader.out.String(); got != want {
		t.Errorf("the reader said\n%s, not\n%s", got, want)
	}
}

// TestGoReloadAway: a server that was away while the history was compacted has the newest configuration.
func TestGoReloadAway(t *testing.T) {
	need(t, "go")
	t.Parallel()
	c := start(t)
	server := c.goProgram(t, "reload", "--listen", "127.0.0.1:0")
	server.says(10*time.Second, "serving on http")
	url := server.matching("serving on ")[0]
	greets := func(what string) {
		t.Helper()
		eventually(t, 20*time.Second, "it greets with "+what, func() bool { return fetch(t, url) == what+"\n" })
	}
	set := func(what string) {
		c.goProgram(t, "config", "set", "web", `{"greeting": "`+what+`", "maxPerSecond": 1000}`).succeed()
	}
	set("before")
	greets("before")
	c.away(t, server, func() { set("skipped"); set("newest"); c.forget(t) })
	greets("newest")
	set("after")
	greets("after")
	if text := server.out.String(); !strings.Contains(text, "starting over:") {
		t.Errorf("nothing was missed, so the test was none:\n%s", text)
	}
}

// TestGoDiscoveryAway: a caller that was away while the history was compacted finds the servers of now.
func TestGoDiscoveryAway(t *testing.T) {
	need(t, "go")
	t.Parallel()
	c := start(t)
	server := func() (*program, string) {
		p := c.goProgram(t, "discovery", "serve", "--ttl", "3")
		p.says(10*time.Second, "registered services/greeter/")
		return p, "answered by " + p.matching("serving on ")[0]
	}
	first, byFirst := server()
	caller := c.goProgram(t, "discovery", "call", "--every", "20ms")
	caller.says(10*time.Second, byFirst)
	var bySecond string
	c.away(t, caller, func() {
		first.stop()
		_, bySecond = server()
		c.forget(t)
	})
	caller.says(20*time.Second, bySecond)
	_, byThird := server()
	caller.says(20*time.Second, byThird)
}

// TestDiscoveryAway, in every scripting language: a watcher that was away tells of every service that came and went; when
// that has been compacted, of the difference.
func TestDiscoveryAway(t *testing.T) {
	for _, language := range []string{"curl", "python", "node"} {
		t.Run(language, func(t *testing.T) {
			need(t, language)
			t.Parallel()
			c := start(t)
			service := func(n string) string { return "services/web/10.0.0." + n + ":80" }
			c.put(t, service("1"), "10.0.0.1:80")
			watcher := scripts[language](t, c, "discovery", "watch", "web")
			watcher.says(60*time.Second, "watching from")
			c.away(t, watcher, func() {
				c.put(t, service("2"), "10.0.0.2:80")
				c.put(t, service("3"), "10.0.0.3:80")
				c.remove(t, service("2"))
			})
			watcher.says(30*time.Second, "gone: "+service("2"))
			c.away(t, watcher, func() {
				c.remove(t, service("1"))
				c.put(t, service("4"), "10.0.0.4:80")
				c.put(t, service("5"), "10.0.0.5:80")
				c.remove(t, service("4"))
				c.forget(t)
			})
			watcher.says(30*time.Second, "there: "+service("5"))
			c.remove(t, service("3"))
			c.remove(t, service("5"))
			watcher.says(30*time.Second, "gone: "+service("5"))
			var news []string
			for _, line := range watcher.out.lines() {
				if !strings.HasPrefix(line, "watching from") {
					news = append(news, strings.Replace(strings.TrimSuffix(line, ":80"), "services/web/10.0.0.", "", 1))
				}
			}
			first := "there: 1, there: 2, there: 3, gone: 2, "
			last := ", gone: 3, gone: 5"
			switch got := strings.Join(news, ", "); got {
			case first + "gone: 1, there: 5" + last, first + "there: 5, gone: 1" + last: // compared: in no order
			default:
				t.Errorf("it told of %s", got)
			}
		})
	}
}

// TestJavaServicesAway: a watcher that was away knows the services of now, whether the history is there or not.
func TestJavaServicesAway(t *testing.T) {
	need(t, "java")
	t.Parallel()
	c := start(t)
	c.put(t, "services/web/1", "one")
	watcher := c.javaProgram(t, "ServiceWatcher")
	watcher.says(60*time.Second, "Services: {services/web/1=one}\nWatching from")
	c.away(t, watcher, func() { c.put(t, "services/web/2", "two"); c.remove(t, "services/web/1") })
	watcher.says(30*time.Second, "Services: {services/web/2=two}")
	eventually(t, 30*time.Second, "it watches again", func() bool { return strings.Count(watcher.out.String(), "Watching from") == 2 })
	c.away(t, watcher, func() { c.put(t, "services/web/3", "three"); c.remove(t, "services/web/2"); c.forget(t) })
	watcher.says(30*time.Second, "Services: {services/web/3=three}")
	c.put(t, "services/web/4", "four")
	watcher.says(30*time.Second, "There: services/web/4 = four")
}

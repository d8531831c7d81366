package main

import (
	"regexp"
	"strings"
	"testing"
	"time"
)

const summary = `
Summary:
  Total:	0.264118968 secs.
  Requests/sec:	7572.345201651704

Latency distribution:
  10% in 0.007216853 secs.
  50% in 0.011905369 secs.
  95% in 1.0e-02 secs.
  99% in 0.030690689 secs.
  99.9% in 0.032095236 secs.
`

func TestParse(t *testing.T) {
	s, err := parse(summary)
	if err != nil {
		t.Fatal(err)
	}
	if s.PerSecond != 7572.345201651704 || s.P50 != 11905369*time.Nanosecond || s.P99 != 30690689*time.Nanosecond {
		t.Errorf("%+v", s)
	}
	for name, bad := range map[string]string{
		"errors":  summary + "\nError distribution:\n  [3]\tetcdserver: no leader\n",
		"empty":   "",
		"no tail": strings.Replace(summary, "99% in", "98% in", 1),
	} {
		if s, err := parse(bad); err == nil {
			t.Errorf("%s: accepted as %+v", name, s)
		}
	}
}

func TestMedian(t *testing.T) {
	rate := func(s sample) float64 { return s.PerSecond }
	three := []sample{{PerSecond: 9}, {PerSecond: 1}, {PerSecond: 4}}
	if got := median(three, rate); got != 4 {
		t.Errorf("median of 9 1 4 is %v", got)
	}
	if got := median(three[:2], rate); got != 5 {
		t.Errorf("median of 9 1 is %v", got)
	}
}

func TestReport(t *testing.T) {
	r := report{Rounds: 1, Members: 3, Machine: machine{CPU: "a CPU", Cores: 2, OS: "linux", Go: "go1", SyncP50: time.Millisecond, MeasuredAt: "2000-01-01"}}
	for i, server := range servers {
		r.Samples = append(r.Samples, sample{Server: server, Case: cases[0].Name, PerSecond: float64(1000 * (i + 1)),
			P50: time.Millisecond, P99: 2 * time.Millisecond, CPUPerOp: time.Duration(200-100*i) * time.Microsecond})
	}
	r.Samples = append(r.Samples, sample{Server: "etcd", Case: cases[1].Name}) // Holdfast has none: no row
	var b strings.Builder
	r.Markdown(&b)
	want := "| put, 1 client | 1000 | 2000 | **2.00** | 1.00 ms | 1.00 ms | 2.00 ms | 2.00 ms | 200 µs | 100 µs | **0.50** |\n"
	if !strings.HasSuffix(b.String(), want) {
		t.Errorf("got\n%s\nwant the last line\n%s", b.String(), want)
	}
}

func TestSelected(t *testing.T) {
	got := selected(regexp.MustCompile("^put"), 0.0001)
	if len(got) != 3 || got[0].Total != requestsMin || got[2].Total != 1000 {
		t.Errorf("%+v", got)
	}
	line := strings.Join(got[0].command("h:1"), " ")
	if line != "--endpoints=h:1 --clients=1 --conns=1 --precise put --key-size=32 --val-size=256 --key-space-size=100000 --total=1000" {
		t.Errorf("command %q", line)
	}
	if cases[0].Total != 3000 || len(put) != 4 {
		t.Error("scaling changed the table")
	}
}

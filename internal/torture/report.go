package torture

import (
	"embed"
	"encoding/json"
	"fmt"
	"html/template"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

//go:embed report.html
var files embed.FS

var page = template.Must(template.New("report.html").Funcs(template.FuncMap{
	"ms":      func(d time.Duration) string { return d.Round(time.Millisecond).String() },
	"seconds": func(d time.Duration) string { return d.Round(time.Second).String() },
}).ParseFS(files, "report.html"))

// The names of what a report consists of, in its folder.
const (
	reportName = "index.html"
	resultName = "result.json"
)

// report writes the page, the figures as JSON, and after a failure the members' logs into the folder.
func (t *torture) report(r *Result) error {
	dir := t.config.KeepDir
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	if err := create(filepath.Join(dir, resultName), r.JSON); err != nil {
		return err
	}
	if r.Class != Passed {
		for _, m := range t.rig.cluster.Members {
			log, err := os.ReadFile(m.LogPath)
			if err != nil {
				return err
			}
			if err := os.WriteFile(filepath.Join(dir, m.Name+".log"), log, 0o644); err != nil {
				return err
			}
		}
	}
	return create(filepath.Join(dir, reportName), r.HTML)
}

// create writes a file.
func create(name string, write func(io.Writer) error) error {
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	if err := write(f); err != nil {
		f.Close()
		return err
	}
	return f.Close()
}

// Command is what repeats the run: the same requests and faults, though their timing is the machine's.
func (c Config) Command() string {
	words := []string{"holdfast torture", fmt.Sprintf("--seed %d --nodes %d --writers %d --keys %d --round %v", c.Seed, c.Members, c.Writers, c.Keys, c.Length)}
	if c.For > 0 {
		words = append(words, fmt.Sprintf("--for %v", c.For))
	}
	if c.Rounds > 0 {
		words = append(words, fmt.Sprintf("--rounds %d", c.Rounds))
	}
	var faults []string
	for _, f := range c.Faults {
		faults = append(faults, string(f))
	}
	words = append(words, "--faults "+strings.Join(faults, ","))
	if c.Network != "" {
		words = append(words, fmt.Sprintf("--network %s", c.Network))
	}
	if c.Secure {
		words = append(words, "--secure")
	}
	if c.Each {
		words = append(words, "--each")
	}
	if len(c.Args) > 0 {
		words = append(words, "-- "+strings.Join(c.Args, " "))
	}
	return strings.Join(words, " ")
}

// JSON writes the figures; times are in seconds, save those of events and samples.
func (r *Result) JSON(w io.Writer) error {
	type round struct {
		Number     int      `json:"round"`
		Tally      Tally    `json:"operations"`
		Errors     Counts   `json:"errors,omitempty"`
		Faults     Counts   `json:"faults"`
		Kills      int      `json:"leader_and_cluster_kills"`
		Elections  int      `json:"elections"`
		Terms      uint64   `json:"terms"`
		Revisions  int64    `json:"revisions"`
		Events     int      `json:"watch_events"`
		Streams    int      `json:"watch_streams"`
		Load       float64  `json:"load_seconds"`
		Gap        float64  `json:"longest_gap_seconds"`
		Recovery   float64  `json:"slowest_recovery_seconds"`
		CheckTook  float64  `json:"check_seconds"`
		Failures   []string `json:"failures,omitempty"`
		TookSecond float64  `json:"seconds"`
	}
	translate := func(o Round) round {
		return round{o.Number, o.Tally, o.Errors, o.Faults, o.Faults.Kills(), o.Elections, o.Terms, o.Revisions, o.Events, o.Resumes,
			o.Load.Seconds(), o.LongestGap.Seconds(), o.Recovery.Seconds(), o.CheckTook.Seconds(), o.Failures, o.Took.Seconds()}
	}
	out := struct {
		Verdict string   `json:"verdict"`
		Reason  string   `json:"reason,omitempty"`
		Command string   `json:"command"`
		Seed    uint64   `json:"seed"`
		Seconds float64  `json:"seconds"`
		Sum     round    `json:"sum"`
		Rounds  []round  `json:"rounds"`
		Events  []Event  `json:"events"`
		Samples []Sample `json:"samples"`
	}{r.Class.String(), r.Reason, r.Config.Command(), r.Config.Seed, r.Took.Seconds(), translate(r.Sum()), nil, r.Events, r.Samples}
	for _, o := range r.Rounds {
		out.Rounds = append(out.Rounds, translate(o))
	}
	return json.NewEncoder(w).Encode(out)
}

// HTML writes the page.
func (r *Result) HTML(w io.Writer) error {
	sum := r.Sum()
	view := reportView{Result: r, Sum: sum, Command: r.Config.Command(), Kinds: sum.Faults.kinds(), Bar: sum.Faults.Kills()}
	for _, round := range r.Rounds {
		view.Timelines = append(view.Timelines, r.timeline(round.Number, fmt.Sprintf("round %d", round.Number), round.Began, round.Began+round.Load))
	}
	if n := len(r.Rounds); r.Class != Passed && (n == 0 || len(r.Rounds[n-1].Failures) == 0) {
		var began time.Duration // the round that never ended
		if n > 0 {
			began = r.Rounds[n-1].Began + r.Rounds[n-1].Took
		}
		view.Timelines = append(view.Timelines, r.timeline(n+1, fmt.Sprintf("round %d, which was not finished", n+1), began, r.Took))
	}
	return page.Execute(w, view)
}

// reportView is what the page shows.
type reportView struct {
	*Result
	Sum       Round
	Command   string
	Kinds     []string
	Bar       int
	Timelines []timeline
}

// The drawing's measures, in SVG's units.
const (
	drawWidth  = 1000.0
	laneHeight = 18.0
	loadHeight = 60.0
)

// timeline is the picture of one round: a lane for each member, the acknowledged writes over them.
type timeline struct {
	Number int
	Title  string
	Height float64
	Width  float64
	Load   string // points of a polygon
	Peak   int    // acknowledged writes a second
	Lanes  []lane
	Ticks  []tick
}

type lane struct {
	Name  string
	Y     float64
	TextY float64
	Bars  []bar
}

type bar struct {
	X, Width, Y, Height float64
	Class, Text         string
}

type tick struct {
	X    float64
	Text string
}

func (r *Result) timeline(number int, title string, from, to time.Duration) timeline {
	length := max(to-from, time.Second)
	x := func(at time.Duration) float64 {
		return min(max(float64(at-from)/float64(length), 0), 1) * drawWidth
	}
	t := timeline{Number: number, Title: title, Width: drawWidth, Height: loadHeight + float64(r.Config.Members)*laneHeight + 16}
	for i := range r.Config.Members {
		y := loadHeight + float64(i)*laneHeight
		l := lane{Name: fmt.Sprintf("n%d", i+1), Y: y, TextY: y + laneHeight - 5}
		l.Bars = append(r.leads(i, from, to, x, y), r.bars(l.Name, number, x, y)...)
		t.Lanes = append(t.Lanes, l)
	}
	t.Load, t.Peak = r.load(from, to, x)
	step := max(length/10, time.Second).Round(time.Second)
	for at := time.Duration(0); at < length; at += step {
		t.Ticks = append(t.Ticks, tick{x(from + at), (from + at).Round(time.Second).String()})
	}
	return t
}

// classes of colour, by the first word of an event's kind.
var classes = []string{"kill", "pause", "disk", "replace", "rolling", "certificates", "authority", "permissions", "cut", "delay", "slow", "stalled", "compaction"}

// bars are the events of a member.
func (r *Result) bars(member string, number int, x func(time.Duration) float64, y float64) (out []bar) {
	for _, e := range r.Events {
		if e.Round != number || !slices.Contains(e.Members, member) {
			continue
		}
		first, _, _ := strings.Cut(e.Kind, " ")
		what := e.Kind
		if e.Detail != "" {
			what += " (" + e.Detail + ")"
		}
		b := bar{X: x(e.At), Width: max(x(e.Until)-x(e.At), 2), Y: y + 1, Height: 7, Class: first,
			Text: fmt.Sprintf("%s, %v to %v", what, e.At.Round(time.Millisecond), e.Until.Round(time.Millisecond))}
		if i := slices.Index(classes, first); i >= slices.Index(classes, "cut") { // weather is drawn under what happens to the process
			b.Y, b.Height = y+8, 4
		}
		out = append(out, b)
	}
	return out
}

// leads are the stretches in which a member led, as far as it was seen.
func (r *Result) leads(member int, from, to time.Duration, x func(time.Duration) float64, y float64) (out []bar) {
	for i, s := range r.Samples {
		if s.At < from || s.At > to || s.Leader != member {
			continue
		}
		end := s.At + sampleEvery
		if i+1 < len(r.Samples) {
			end = min(r.Samples[i+1].At, to)
		}
		if n := len(out); n > 0 && out[n-1].X+out[n-1].Width >= x(s.At)-0.01 {
			out[n-1].Width = x(end) - out[n-1].X
			continue
		}
		out = append(out, bar{X: x(s.At), Width: x(end) - x(s.At), Y: y + laneHeight - 5, Height: 3, Class: "leads", Text: fmt.Sprintf("leads, term %d", s.Term)})
	}
	return out
}

// load is the outline of acknowledged writes a second.
func (r *Result) load(from, to time.Duration, x func(time.Duration) float64) (points string, peak int) {
	type point struct {
		at   time.Duration
		rate float64
	}
	var ps []point
	most := 1.0
	for i := 1; i < len(r.Samples); i++ {
		a, b := r.Samples[i-1], r.Samples[i]
		if b.At < from || a.At > to || b.At <= a.At {
			continue
		}
		rate := float64(b.Acks-a.Acks) / (b.At - a.At).Seconds()
		most = max(most, rate)
		ps = append(ps, point{b.At, rate})
	}
	var s strings.Builder
	fmt.Fprintf(&s, "0,%.0f", loadHeight-4)
	for _, p := range ps {
		fmt.Fprintf(&s, " %.1f,%.1f", x(p.at), (loadHeight-4)-(loadHeight-10)*p.rate/most)
	}
	fmt.Fprintf(&s, " %.0f,%.0f", drawWidth, loadHeight-4)
	return s.String(), int(most)
}

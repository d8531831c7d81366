package report

import (
	"bytes"
	_ "embed" // the parts of the page
	"encoding/json"
	"fmt"
	"html"
	"io"
	"strings"

	"github.com/holdfast-db/holdfast/sim"
)

var (
	//go:embed page.html
	pageHTML string
	//go:embed page.css
	pageCSS string
	//go:embed page.js
	pageJS string
)

// Page is what is drawn. Times are µs; nodes are numbered from 1.
type Page struct {
	Title   string `json:"title"`
	Verdict string `json:"verdict"` // passed, crashed, unsafe or stuck
	Check   string `json:"check,omitempty"`
	Reason  string `json:"reason,omitempty"`
	// FailedAt is when, -1 if nothing failed; End is when the run ended.
	FailedAt int64 `json:"failedAt"`
	End      int64 `json:"end"`
	// FailedNode is the member that the failure is about, 0: none.
	FailedNode uint8    `json:"failedNode,omitempty"`
	Replay     []string `json:"replay"` // commands
	Facts      []Fact   `json:"facts"`
	Settings   string   `json:"settings"`
	Nodes      int      `json:"nodes"`

	Phases  []sim.PhaseMark `json:"phases"`
	Roles   []sim.RoleMark  `json:"roles"`
	Lives   []sim.Life      `json:"lives"`
	Frames  []sim.FrameMark `json:"frames"`
	Logs    []sim.LogView   `json:"logs"`
	Ops     []sim.OpMark    `json:"ops"`
	Actions []Action        `json:"actions"`
	Recent  []string        `json:"recent"`
	// Porcupine is a page of its own, shown in a frame; "": there is none.
	Porcupine string `json:"porcupine,omitempty"`
}

// Fact is a number about the run.
type Fact struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// Action is something that was done to the cluster.
type Action struct {
	At    int64  `json:"at"`
	For   int64  `json:"for"`   // 0: it has no end of its own
	Nodes []int  `json:"nodes"` // a []uint8 would become a string
	Verb  string `json:"verb"`
	Text  string `json:"text"`
}

// FromRun makes the page of a run that was recorded.
func FromRun(title string, replay []string, r *sim.Result) (*Page, error) {
	rec := r.Recording
	if rec == nil {
		return nil, fmt.Errorf("report: the run of seed %d was not recorded (sim.Options.Record)", r.Seed)
	}
	p := &Page{
		Title: title, Verdict: r.Class.String(), FailedAt: -1, End: r.Virtual, Replay: replay, Settings: r.Plan,
		Phases: rec.Phases, Roles: rec.Roles, Lives: rec.Lives, Frames: rec.Frames, Logs: rec.Logs, Ops: rec.Ops, Recent: r.Recent,
	}
	if f := r.Failure; f != nil {
		p.Check, p.Reason, p.FailedAt, p.FailedNode = f.Check, f.Text, f.At, f.Node
	}
	for _, l := range rec.Logs {
		p.Nodes = max(p.Nodes, int(l.Node))
	}
	for i := range rec.Actions {
		p.Actions = append(p.Actions, actionOf(&rec.Actions[i], rec.Actions[i+1:]))
	}
	p.Facts = facts(r)
	var picture bytes.Buffer
	if drawn, err := r.Render(&picture); err == nil && drawn {
		p.Porcupine = picture.String()
	}
	return p, nil
}

// lasting are the actions that, without a duration, last until this one.
var lasting = map[string]string{
	"partition": "reconnect", "isolate": "reconnect", "cut": "reconnect", "slow": "reconnect", "hide": "heal",
}

// actionOf draws an action for as long as it lasts; what comes later may end it.
func actionOf(a *sim.Action, later []sim.Action) Action {
	d := Action{At: a.At, For: a.For, Verb: a.Verb, Text: a.Text()}
	if a.Verb == "pause" || a.Verb == "stall" {
		d.For = a.Micros
	}
	for i := range later {
		b := &later[i]
		if end := b.At - a.At; (b.Verb == "heal" || b.Verb == lasting[a.Verb]) && (d.For > end || d.For == 0 && lasting[a.Verb] != "") {
			d.For = end
			break
		}
	}
	for _, id := range a.Members() {
		d.Nodes = append(d.Nodes, int(id))
	}
	return d
}

// facts picks the counters that tell what kind of run it was.
func facts(r *sim.Result) (list []Fact) {
	list = append(list, Fact{"simulated", fmt.Sprintf("%.1f s", float64(r.Virtual)/1e6)}, Fact{"events", fmt.Sprint(r.Events)},
		Fact{"trace hash", fmt.Sprintf("%016x", r.Hash)})
	for _, name := range []string{sim.CountOps, sim.CountAcked, sim.CountAmbiguous, sim.CountFaults, sim.CountLeaderChanges, sim.CountInstalls, sim.CountConfigs} {
		if n := r.Count[name]; n > 0 {
			list = append(list, Fact{name, fmt.Sprint(n)})
		}
	}
	return list
}

// Write writes the page.
func (p *Page) Write(w io.Writer) error {
	data, err := json.Marshal(p) // escapes <, > and &: nothing in it ends the script
	if err != nil {
		return err
	}
	summary := p.Title + ": " + p.Verdict
	if p.Check != "" {
		summary += " — " + p.Check
	}
	page := strings.NewReplacer(
		"{{title}}", html.EscapeString(summary),
		"{{reason}}", html.EscapeString(p.Reason),
		"{{css}}", pageCSS,
		"{{js}}", pageJS,
		"{{data}}", string(data),
	).Replace(pageHTML)
	_, err = io.WriteString(w, page)
	return err
}

package server

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/pprof"
	"os"
	"runtime"
	"strconv"

	"golang.org/x/net/trace"

	"github.com/holdfast-db/holdfast/raft"
)

// handleDebug offers what etcd has for looking inside: variables always,
// profiles if they were asked for, traces when debugging.
func (b *backend) handleDebug(mux *http.ServeMux) {
	mux.HandleFunc("/debug/vars", b.serveVars)
	debug := b.settings.LogLevel == "debug"
	if debug {
		mux.HandleFunc("/debug/requests", func(w http.ResponseWriter, r *http.Request) { trace.Render(w, r, true) })
		mux.HandleFunc("/debug/events", func(w http.ResponseWriter, r *http.Request) { trace.RenderEvents(w, r, true) })
	}
	if debug || b.settings.EnablePprof {
		mux.HandleFunc("/debug/pprof/", pprof.Index)
		mux.HandleFunc("/debug/pprof/cmdline", pprof.Cmdline)
		mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
		mux.HandleFunc("/debug/pprof/symbol", pprof.Symbol)
		mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
	}
}

// serveVars prints the variables that etcd publishes. They are this member's,
// not the process's as in package expvar: several members can live in one.
func (b *backend) serveVars(w http.ResponseWriter, r *http.Request) {
	if !allowGet(w, r) {
		return
	}
	var memory runtime.MemStats
	runtime.ReadMemStats(&memory)
	_, limit := descriptors()
	body, err := json.MarshalIndent(struct {
		Command     []string         `json:"cmdline"`
		Descriptors uint64           `json:"file_descriptor_limit"`
		Memory      runtime.MemStats `json:"memstats"`
		Raft        raftVars         `json:"raft.status"`
	}{os.Args, limit, memory, newRaftVars(b.Status().Raft)}, "", "")
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	fmt.Fprintf(w, "%s\n", body)
}

// raftVars is raft's status in the form of etcd's.
type raftVars struct {
	ID         string                  `json:"id"`
	Term       uint64                  `json:"term"`
	Vote       string                  `json:"vote"`
	Commit     uint64                  `json:"commit"`
	Leader     string                  `json:"lead"`
	State      string                  `json:"raftState"`
	Applied    uint64                  `json:"applied"`
	Progress   map[string]raftProgress `json:"progress"`
	Transferee string                  `json:"leadtransferee"`
}

type raftProgress struct {
	Match uint64 `json:"match"`
	Next  uint64 `json:"next"`
	State string `json:"state"`
}

// raftStates are etcd's names of the roles.
var raftStates = map[raft.Role]string{
	raft.Follower: "StateFollower", raft.PreCandidate: "StatePreCandidate",
	raft.Candidate: "StateCandidate", raft.Leader: "StateLeader",
}

func newRaftVars(st raft.Status) raftVars {
	id := func(n raft.NodeID) string { return strconv.FormatUint(uint64(n), 16) }
	v := raftVars{
		ID: id(st.ID), Term: uint64(st.Term), Vote: id(st.Vote), Commit: uint64(st.Commit), Leader: id(st.Leader),
		State: raftStates[st.Role], Applied: uint64(st.Applied), Progress: map[string]raftProgress{}, Transferee: id(st.Transferee),
	}
	for _, p := range st.Progress {
		v.Progress[id(p.ID)] = raftProgress{uint64(p.Match), uint64(p.Next), p.State.String()}
	}
	return v
}

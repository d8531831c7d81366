package server

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/holdfast-db/holdfast/internal/oneport"
	"github.com/holdfast-db/holdfast/server/api"
	"github.com/holdfast-db/holdfast/server/state"
)

// peerHTTP answers the few questions that are asked over HTTP/1.1 on peer URLs,
// in etcd's form: those of a member that wants to join and has no id yet, and of
// one that compares data.
type peerHTTP struct {
	conns  *oneport.Handoff
	server *http.Server
	open   atomic.Int64
}

// peerHTTPMax bounds the connections that are served at a time: whoever joins
// asks once.
const peerHTTPMax = 64

// clusterIDHeader tells the cluster's id, in hex, beside its members.
const clusterIDHeader = "X-Etcd-Cluster-ID"

func newPeerHTTP(b *backend, log *slog.Logger) *peerHTTP {
	mux := http.NewServeMux()
	mux.HandleFunc("/members", b.serveMembers)
	mux.HandleFunc("/version", serveVersion)
	mux.HandleFunc(hashKVPath, b.serveHashKV)
	p := &peerHTTP{conns: oneport.NewHandoff()}
	p.server = &http.Server{
		Handler: mux, ErrorLog: quietLog(log), MaxHeaderBytes: 16 << 10,
		ReadTimeout: handshakeTimeout, WriteTimeout: handshakeTimeout,
		ConnState: func(_ net.Conn, state http.ConnState) {
			if state == http.StateClosed {
				p.open.Add(-1)
			}
		},
	}
	p.server.SetKeepAlivesEnabled(false)
	return p
}

// give takes over a connection, and closes it if there are too many.
func (p *peerHTTP) give(conn net.Conn) {
	if p.open.Add(1) > peerHTTPMax {
		p.open.Add(-1)
		conn.Close()
		return
	}
	p.conns.Give(conn)
}

// serve runs until close; it always ends with http.ErrServerClosed.
func (p *peerHTTP) serve() { _ = p.server.Serve(p.conns) }

// close ends all connections.
func (p *peerHTTP) close() {
	p.server.Close()
	p.conns.Close()
}

// memberJSON is a member as etcd's peers tell it.
type memberJSON struct {
	ID         uint64   `json:"id"`
	PeerURLs   []string `json:"peerURLs"`
	IsLearner  bool     `json:"isLearner,omitempty"`
	Name       string   `json:"name,omitempty"`
	ClientURLs []string `json:"clientURLs,omitempty"`
}

// membersWait is how long a member that is asked for the members tries to reach a
// quorum. Whoever joins asks another then.
const membersWait = 2 * time.Second

// serveMembers lists the members: those that are known here, as etcd's peers do;
// with ?linearizable=true those that a quorum knows, or none. A member that was
// cut off, or reads its own log again, may still know of a cluster in which
// whoever joins was somebody else.
func (b *backend) serveMembers(w http.ResponseWriter, r *http.Request) {
	if !allowGet(w, r) {
		return
	}
	var members []state.Member
	if asked, _ := strconv.ParseBool(r.URL.Query().Get("linearizable")); asked {
		ctx, cancel := context.WithTimeout(r.Context(), membersWait)
		defer cancel()
		view, err := b.View(ctx, true)
		if err != nil {
			http.Error(w, fmt.Sprintf("the members could not be confirmed within %v: %s", membersWait, errorText(api.ToGRPC(err))), http.StatusServiceUnavailable)
			return
		}
		members = view.Members()
	} else if known := b.head.roster.Load(); known != nil {
		members = known.members
	}
	list := []memberJSON{}
	for _, m := range members {
		list = append(list, memberToJSON(m))
	}
	w.Header().Set(clusterIDHeader, hex(b.settings.cluster))
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(list) // a client that has left needs no answer
}

func memberToJSON(m state.Member) memberJSON {
	return memberJSON{ID: m.ID, PeerURLs: m.PeerURLs, IsLearner: m.Learner, Name: m.Name, ClientURLs: m.ClientURLs}
}

package server

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/holdfast-db/holdfast/raft"
	"github.com/holdfast-db/holdfast/transport/tcp"
)

// A member that joins a running cluster (--initial-cluster-state=existing and
// no data) asks the others who they are: it needs the cluster's id and its own,
// which MemberAdd made from the time. It starts with no configuration at all, so
// it can neither vote for itself nor elect anybody; the leader, who has it in
// his, sends it the log.

// The others may hear of the addition later than whoever asked for it, so what
// doesn't fit is asked for again.
const (
	joinPatience = 5 * time.Second
	joinPause    = 100 * time.Millisecond
	// joinAnswerMax bounds what is read of an answer.
	joinAnswerMax = 4 << 20
)

// errJoin begins the words of a join that failed.
var errJoin = errors.New("cannot join the cluster that --initial-cluster describes")

// join finds out this member's identity from the running cluster.
func (s *Server) join() error {
	deadline := time.Now().Add(joinPatience)
	for {
		err := s.tryJoin()
		if err == nil || time.Now().After(deadline) {
			return err
		}
		time.Sleep(joinPause)
	}
}

// tryJoin asks each of the others once and takes the first answer that fits.
func (s *Server) tryJoin() error {
	failures := []error{errJoin}
	for _, u := range s.settings.others {
		cluster, members, err := s.askMembers(u)
		if err == nil {
			err = s.settings.adopt(cluster, members)
		}
		if err == nil {
			s.log.Info("joining a running cluster", "told-by", u, "cluster-id", hex(cluster), "member-id", hex(s.settings.member))
			return nil
		}
		failures = append(failures, fmt.Errorf("%s: %w", u, err))
	}
	if len(failures) == 1 {
		failures = append(failures, errors.New("it names no other member"))
	}
	return errors.Join(failures...)
}

// askMembers asks one member for the cluster's id and members.
func (s *Server) askMembers(peerURL string) (cluster uint64, members []memberJSON, err error) {
	u, err := url.Parse(peerURL)
	if err != nil {
		return 0, nil, err
	}
	client, err := s.peerClient(u)
	if err != nil {
		return 0, nil, err
	}
	defer client.CloseIdleConnections()
	resp, err := client.Get(requestURL(u, "/members"))
	if err != nil {
		return 0, nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return 0, nil, fmt.Errorf("status %s", resp.Status)
	}
	if cluster, err = strconv.ParseUint(resp.Header.Get(clusterIDHeader), 16, 64); err != nil {
		return 0, nil, fmt.Errorf("%s: %w", clusterIDHeader, err)
	}
	err = json.NewDecoder(io.LimitReader(resp.Body, joinAnswerMax)).Decode(&members)
	return cluster, members, err
}

// peerClient speaks HTTP/1.1 to one peer URL.
func (s *Server) peerClient(u *url.URL) (*http.Client, error) {
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		network, address := tcp.Address(u)
		return (&net.Dialer{}).DialContext(ctx, network, address)
	}}
	if isTLS(u) {
		config, err := s.dialTLS(u.Hostname())
		if err != nil {
			return nil, err
		}
		transport.TLSClientConfig = config
	}
	return &http.Client{Transport: transport, Timeout: handshakeTimeout}, nil
}

// requestURL is a path on a peer; what is dialled says peerClient.
func requestURL(u *url.URL, path string) string {
	scheme := "http"
	if isTLS(u) {
		scheme = "https"
	}
	host := u.Host
	if isSocket(u) {
		host = "localhost"
	}
	return scheme + "://" + host + path
}

// adopt takes the identity that a running cluster gives to this member.
// --initial-cluster must list exactly its members, by their peer URLs; names are
// not compared. Words of refusals are etcd's.
func (s *settings) adopt(cluster uint64, members []memberJSON) error {
	if len(members) != len(s.named) {
		return fmt.Errorf("member count is unequal: the cluster has %d members, --initial-cluster lists %d", len(members), len(s.named))
	}
	self, learners := uint64(0), 0
	for _, m := range members {
		urls := slices.Sorted(slices.Values(m.PeerURLs))
		name, found := "", false
		for candidate, listed := range s.named {
			if slices.Equal(listed, urls) {
				name, found = candidate, true
			}
		}
		if !found {
			return fmt.Errorf("PeerURLs: no match found for existing member (%x, %v)", m.ID, m.PeerURLs)
		}
		if name == s.Name {
			self = m.ID
		}
		if m.IsLearner {
			learners++
		}
	}
	if learners > s.MaxLearners {
		return errors.New("membership: too many learner members in cluster")
	}
	s.member, s.cluster, s.initial = self, cluster, raft.Configuration{}
	return nil
}

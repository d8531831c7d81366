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
	"strings"
	"time"

	"github.com/holdfast-db/holdfast/raft"
	"github.com/holdfast-db/holdfast/transport/tcp"
)

// A member that joins a running cluster (--initial-cluster-state=existing and
// no data) asks the others who they are: it needs the cluster's id and its own,
// which MemberAdd made from the time. It starts with no configuration at all, so
// it can neither vote for itself nor elect anybody; the leader, who has it in
// his, sends it the log.

// Only what a quorum knows counts. A member that was away may know of this one's
// predecessor only, at the same address, and whoever took that one's id would be
// nobody for ever: its disk says so, and the others expect another.

// The others may be on their way, and without a leader for some elections, so
// what fails is asked for again: longer while a quorum isn't found, which is not
// this member's fault.
const (
	joinPatience   = 5 * time.Second
	quorumPatience = 30 * time.Second
	joinPause      = 100 * time.Millisecond
	// joinAnswerMax bounds what is read of an answer.
	joinAnswerMax = 4 << 20
	joinReasonMax = 1 << 10
)

// errJoin begins the words of a join that failed.
var errJoin = errors.New("cannot join the cluster that --initial-cluster describes")

// errNoQuorum is the answer of a member that reaches too few others.
var errNoQuorum = errors.New("it has no quorum")

// join finds out this member's identity from the running cluster.
func (s *Server) join() error {
	began := time.Now()
	for {
		err := s.tryJoin()
		patience := joinPatience
		if errors.Is(err, errNoQuorum) {
			patience = quorumPatience
		}
		if err == nil || time.Since(began) > patience {
			return err
		}
		select {
		case <-time.After(joinPause):
		case <-s.settings.starting().Done():
			return s.settings.starting().Err()
		}
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
	r, err := http.NewRequestWithContext(s.settings.starting(), http.MethodGet, requestURL(u, "/members?linearizable=true"), nil)
	if err != nil {
		return 0, nil, err
	}
	resp, err := client.Do(r)
	if err != nil {
		return 0, nil, err
	}
	defer resp.Body.Close()
	switch resp.StatusCode {
	case http.StatusOK:
	case http.StatusServiceUnavailable:
		why, _ := io.ReadAll(io.LimitReader(resp.Body, joinReasonMax))
		return 0, nil, fmt.Errorf("%w: %s", errNoQuorum, strings.TrimSpace(string(why)))
	default:
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

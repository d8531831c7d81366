package server

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"

	"github.com/holdfast-db/holdfast/mvcc"
	"github.com/holdfast-db/holdfast/server/api"
	"github.com/holdfast-db/holdfast/server/state"
)

// How members ask each other for hashes: GET /members/hashkv on a peer URL, with
// etcd's HashKVRequest and HashKVResponse as JSON.

const (
	hashKVPath = "/members/hashkv"
	// hashRequestMax and hashAnswerMax bound what is read of a request and of its
	// answer; both are a few numbers.
	hashRequestMax = 4 << 10
	hashAnswerMax  = 64 << 10
)

var errClusterMismatch = errors.New("cluster ID mismatch")

// serveHashKV answers a peer. One at a time: each answer reads all data.
func (b *backend) serveHashKV(w http.ResponseWriter, r *http.Request) {
	if !allowGet(w, r) {
		return
	}
	if id := r.Header.Get(clusterIDHeader); id != "" && id != hex(b.settings.cluster) {
		http.Error(w, errClusterMismatch.Error(), http.StatusPreconditionFailed)
		return
	}
	var request pb.HashKVRequest
	if err := json.NewDecoder(io.LimitReader(r.Body, hashRequestMax)).Decode(&request); err != nil {
		http.Error(w, "error unmarshalling request", http.StatusBadRequest)
		return
	}
	// A large store takes longer than the connection may otherwise.
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(b.settings.requestTimeout()))
	b.hashing.Lock()
	h, err := b.hashAt(r.Context(), request.Revision)
	b.hashing.Unlock()
	if err != nil {
		b.log.Warn("failed to get hashKV", "requested-revision", request.Revision, "error", err.Error())
		http.Error(w, errorText(api.ToGRPC(err)), http.StatusBadRequest)
		return
	}
	w.Header().Set(clusterIDHeader, hex(b.settings.cluster))
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(&pb.HashKVResponse{ // a peer that has left needs no answer
		Header: &pb.ResponseHeader{MemberId: h.member, Revision: h.present},
		Hash:   h.hash, CompactRevision: h.compacted, HashRevision: h.at,
	})
}

// hashesOfOthers asks all other members at once.
func (s *Server) hashesOfOthers(ctx context.Context, revision int64) []dataHash {
	ctx, cancel := context.WithTimeout(ctx, s.settings.requestTimeout())
	defer cancel()
	var others []state.Member
	if known := s.backend.head.roster.Load(); known != nil {
		for _, m := range known.members {
			if m.ID != s.settings.member && len(m.PeerURLs) > 0 {
				others = append(others, m)
			}
		}
	}
	hashes := make([]dataHash, len(others))
	var asked sync.WaitGroup
	for i, m := range others {
		asked.Go(func() { hashes[i] = s.hashOf(ctx, m, revision) })
	}
	asked.Wait()
	return hashes
}

// hashOf asks a member at its URLs, one after the other.
func (s *Server) hashOf(ctx context.Context, m state.Member, revision int64) dataHash {
	h := dataHash{member: m.ID}
	for _, u := range m.PeerURLs {
		answer, err := s.askHash(ctx, u, revision)
		if err == nil {
			h.hash, h.compacted, h.at, h.present = answer.Hash, answer.CompactRevision, answer.HashRevision, answer.GetHeader().GetRevision()
			h.err = nil
			return h
		}
		h.err = err
		s.log.Warn("failed hash kv request", "local-member-id", hex(s.settings.member), "requested-revision", revision,
			"remote-peer-endpoint", u, "error", err.Error())
	}
	return h
}

func (s *Server) askHash(ctx context.Context, peerURL string, revision int64) (*pb.HashKVResponse, error) {
	u, err := url.Parse(peerURL)
	if err != nil {
		return nil, err
	}
	client, err := s.peerClient(u)
	if err != nil {
		return nil, err
	}
	defer client.CloseIdleConnections()
	body, err := json.Marshal(&pb.HashKVRequest{Revision: revision})
	if err != nil {
		return nil, err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, requestURL(u, hashKVPath), bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	r.Header.Set(clusterIDHeader, hex(s.settings.cluster))
	r.Header.Set("Content-Type", "application/json")
	resp, err := client.Do(r)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	return readHash(resp)
}

// readHash reads an answer, or the reason why there is none.
func readHash(resp *http.Response) (*pb.HashKVResponse, error) {
	body, err := io.ReadAll(io.LimitReader(resp.Body, hashAnswerMax))
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		text := strings.TrimSpace(string(body))
		for _, known := range []error{mvcc.ErrCompacted, mvcc.ErrFutureRevision} {
			if text == errorText(api.ToGRPC(known)) {
				return nil, known
			}
		}
		if text == errClusterMismatch.Error() {
			return nil, errClusterMismatch
		}
		return nil, fmt.Errorf("status %s: %s", resp.Status, text)
	}
	answer := &pb.HashKVResponse{}
	return answer, json.Unmarshal(body, answer)
}

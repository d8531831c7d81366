package e2e

import (
	"fmt"
	"slices"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health/grpc_health_v1"

	"github.com/holdfast-db/holdfast/internal/proc"
)

func membersAndStatus(u *user) {
	ctx := timeout(u.T, 30*time.Second)
	members := must(u.client.MemberList(ctx))(u)
	ids := map[uint64]bool{}
	var names []string
	for _, m := range members.Members {
		ids[m.ID] = true
		names = append(names, m.Name)
		i := slices.IndexFunc(u.cluster.Members, func(p *proc.Member) bool { return p.Name == m.Name })
		if i < 0 || !slices.Equal(m.PeerURLs, []string{u.cluster.Members[i].PeerURL}) ||
			!slices.Equal(m.ClientURLs, []string{u.cluster.Members[i].ClientURL}) || m.IsLearner {
			u.Errorf("member %v", m)
		}
	}
	if len(ids) != len(u.cluster.Members) {
		u.Fatalf("members %v, want %d", names, len(u.cluster.Members))
	}
	leaders := map[uint64]bool{}
	for _, p := range u.cluster.Members {
		s := must(u.client.Status(ctx, p.ClientURL))(u)
		leaders[s.Leader] = true
		if s.Version != "3.7.1" || !ids[s.Header.MemberId] || s.Header.ClusterId != members.Header.ClusterId ||
			s.RaftTerm == 0 || s.RaftIndex == 0 || s.RaftAppliedIndex == 0 || s.DbSize == 0 || s.DbSizeInUse == 0 ||
			s.IsLearner || len(s.Errors) != 0 || s.StorageVersion == "" {
			u.Errorf("status of %s: %v", p.Name, s)
		}
		if err := checkHealth(u, p); err != nil {
			u.Errorf("%s: %v", p.Name, err)
		}
	}
	if len(leaders) != 1 || leaders[0] {
		u.Errorf("the members name leaders %v", leaders)
	}
}

func checkHealth(u *user, p *proc.Member) error {
	conn, err := grpc.NewClient(p.ClientURL[len("http://"):], grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return err
	}
	defer conn.Close()
	r, err := grpc_health_v1.NewHealthClient(conn).Check(timeout(u.T, 10*time.Second), &grpc_health_v1.HealthCheckRequest{})
	if err != nil {
		return err
	}
	if r.Status != grpc_health_v1.HealthCheckResponse_SERVING {
		return fmt.Errorf("health %v", r.Status)
	}
	return nil
}

// hashIsEqual writes a little of everything and compares the members.
func hashIsEqual(u *user) {
	ctx := timeout(u.T, 30*time.Second)
	first := u.change(ctx)
	sameHashes(u, first)
	sameHashes(u, first+3)
}

// sameHashes compares HashKV of all members at a revision; 0 is the current one of the first member, which the
// others may still have to learn, so it is read through each first.
func sameHashes(u *user, rev int64) {
	u.Helper()
	ctx := timeout(u.T, 30*time.Second)
	if rev == 0 {
		rev = must(u.client.Get(ctx, "any"))(u).Header.Revision
	}
	hashes := map[uint32][]string{}
	for _, p := range u.cluster.Members {
		must(connect(u.T, p.ClientURL).Get(ctx, "any"))(u)
		r := must(u.client.HashKV(ctx, p.ClientURL, rev))(u)
		if r.Hash == 0 || r.HashRevision != rev {
			u.Errorf("%s: %v", p.Name, r)
		}
		hashes[r.Hash] = append(hashes[r.Hash], p.Name)
	}
	if len(hashes) != 1 {
		u.Errorf("at revision %d the hashes are %v", rev, hashes)
	}
}

package e2e

import (
	"fmt"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/holdfast-db/holdfast/internal/proc"
)

// user is what a scenario gets: a cluster that others use too, a client that knows all members, and a key prefix
// that nobody else writes under.
type user struct {
	*testing.T
	cluster *proc.Cluster
	client  *clientv3.Client
	prefix  string
}

func (u *user) key(s string) string { return u.prefix + s }

var scenarios = []struct {
	name string
	run  func(*user)
}{
	{"put get delete", putGetDelete},
	{"range options", rangeOptions},
	{"old revisions", oldRevisions},
	{"put options", putOptions},
	{"errors are etcd's", clientErrors},
	{"every member serves", everyMemberServes},
	{"txn compare", txnCompare},
	{"txn is atomic", txnAtomic},
	{"txn nested", txnNested},
	{"counter by compare and swap", casCounter},
	{"watch now", watchNow},
	{"watch past", watchPast},
	{"watch filters and prev_kv", watchFilters},
	{"watch future", watchFuture},
	{"watch progress", watchProgress},
	{"many watchers", manyWatchers},
	{"lease life", leaseLife},
	{"lease expiry", leaseExpiry},
	{"lease keep-alive", leaseKeepAlive},
	{"lease errors", leaseErrors},
	{"session", sessionLife},
	{"mutex", mutexExcludes},
	{"election", electionHandsOver},
	{"stm", stmTransfers},
	{"members and status", membersAndStatus},
	{"hash is equal", hashIsEqual},
}

func TestOneNode(t *testing.T)    { runScenarios(t, 1) }
func TestThreeNodes(t *testing.T) { runScenarios(t, 3) }

// runScenarios runs all scenarios at the same time against one cluster; then the one that compacts, alone, since it
// takes away the history that others read.
func runScenarios(t *testing.T, members int) {
	t.Parallel()
	cluster := startCluster(t, members)
	t.Run("together", func(t *testing.T) {
		for i, s := range scenarios {
			t.Run(s.name, func(t *testing.T) {
				t.Parallel()
				s.run(newUser(t, cluster, i))
			})
		}
	})
	t.Run("compaction", func(t *testing.T) { compaction(newUser(t, cluster, len(scenarios))) })
	if err := cluster.Stop(10 * time.Second); err != nil {
		t.Error(err)
	}
}

func newUser(t *testing.T, cluster *proc.Cluster, i int) *user {
	return &user{T: t, cluster: cluster, client: connect(t, cluster.Endpoints()...), prefix: fmt.Sprintf("s%02d/", i)}
}

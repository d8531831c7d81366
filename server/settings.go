package server

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/holdfast-db/holdfast/raft"
)

// settings are a Config that was checked and understood.
type settings struct {
	Config
	dir, walDir                                          string
	listenClient, advertiseClient, listenPeer, advertise []*url.URL
	listenHTTP, listenMetrics                            []*url.URL // may be empty

	cluster, member uint64
	initial         raft.Configuration
	existing        bool                // join a running cluster
	named           map[string][]string // --initial-cluster: sorted peer URLs by name
	others          []string            // peer URLs of those that aren't this member, sorted
	log             logSettings
	limits          limits
	gates           map[string]bool // by name: every feature gate
	tls             tlsRules
	compactor       *compactor // nil: clients compact
	raised          []string   // what was set too low, for the log
}

// TickMS is the length of a tick in milliseconds. Heartbeats and elections are
// counted in ticks, so this is how finely they can be set.
const TickMS = 10

// Check tells what is wrong with a configuration, as Start would; it looks at no
// disk and no network.
func (c Config) Check() error {
	_, err := c.resolve()
	return err
}

// resolve checks a Config. Errors name the flag and say what to change.
func (c Config) resolve() (*settings, error) {
	s := &settings{Config: c}
	for _, step := range []func() error{s.harden, s.checkTimes, s.checkLimits, s.parseURLs, s.parseTLS, s.parseCluster, s.parseLog, s.parseGates, s.parseCompaction} {
		if err := step(); err != nil {
			return nil, err
		}
	}
	s.dir = c.DataDir
	if s.dir == "" {
		s.dir = c.Name + ".etcd"
	}
	s.walDir = c.WALDir
	if s.walDir == "" {
		s.walDir = s.dir
	}
	return s, nil
}

func (s *settings) checkTimes() error {
	switch {
	case s.HeartbeatMS <= 0:
		return fmt.Errorf("--heartbeat-interval must be >0 (set to %dms)", s.HeartbeatMS)
	case s.ElectionMS <= 0:
		return fmt.Errorf("--election-timeout must be >0 (set to %dms)", s.ElectionMS)
	case electionPerHeartbeat*s.HeartbeatMS > s.ElectionMS:
		return fmt.Errorf("--election-timeout[%dms] should be at least as %d times as --heartbeat-interval[%dms]",
			s.ElectionMS, electionPerHeartbeat, s.HeartbeatMS)
	case s.ElectionMS > electionMSMax:
		return fmt.Errorf("--election-timeout[%dms] is too long, and should be set less than %dms", s.ElectionMS, electionMSMax)
	}
	switch {
	case s.CorruptCheckTime < 0:
		return fmt.Errorf("--corrupt-check-time must be >=0 (set to %v)", s.CorruptCheckTime)
	case s.CompactHashCheckTime <= 0:
		return fmt.Errorf("--compact-hash-check-time must be >0 (set to %v)", s.CompactHashCheckTime)
	}
	s.WatchProgressInterval = max(s.WatchProgressInterval, watchProgressMin)
	s.RaftReadTimeout = s.raise("raft-read-timeout", s.RaftReadTimeout)
	s.RaftWriteTimeout = s.raise("raft-write-timeout", s.RaftWriteTimeout)
	return nil
}

// raise returns a timeout of links to other members, at least etcd's smallest.
func (s *settings) raise(flag string, timeout time.Duration) time.Duration {
	if timeout >= raftTimeoutMin {
		return timeout
	}
	s.raised = append(s.raised, fmt.Sprintf("%s increased to minimum value: %v", flag, raftTimeoutMin))
	return raftTimeoutMin
}

func (s *settings) checkLimits() error {
	switch {
	case s.MaxTxnOps == 0:
		return errors.New("--max-txn-ops must be >0")
	case s.MaxRequestBytes == 0 || s.MaxRequestBytes > 32<<20:
		return fmt.Errorf("--max-request-bytes must be between 1 and %d (set to %d)", 32<<20, s.MaxRequestBytes)
	case s.MaxConcurrentStreams == 0:
		return errors.New("--max-concurrent-streams must be >0")
	case s.ResponseMemoryBytes < responseMemoryMin:
		return fmt.Errorf("--response-memory-bytes must be at least %d (set to %d)", responseMemoryMin, s.ResponseMemoryBytes)
	case s.NoSpaceDisarmPercent > disarmPercentMax:
		return fmt.Errorf("--nospace-auto-disarm-percent must be at most %d (set to %d)", disarmPercentMax, s.NoSpaceDisarmPercent)
	case s.Name == "":
		return errors.New("--name must not be empty")
	}
	return s.Tracing.Check()
}

func (s *settings) parseURLs() (err error) {
	if s.AdvertiseClientURLs == "" {
		if s.ListenClientURLs != DefaultClientURLs {
			return errors.New("--advertise-client-urls is required when --listen-client-urls is set explicitly")
		}
		s.AdvertiseClientURLs = DefaultClientURLs
	}
	for _, list := range []struct {
		flag, value string
		to          *[]*url.URL
		bind        bool
	}{
		{"listen-client-urls", s.ListenClientURLs, &s.listenClient, true},
		{"advertise-client-urls", s.AdvertiseClientURLs, &s.advertiseClient, false},
		{"listen-peer-urls", s.ListenPeerURLs, &s.listenPeer, true},
		{"initial-advertise-peer-urls", s.InitialAdvertisePeerURLs, &s.advertise, false},
		{"listen-client-http-urls", s.ListenClientHTTPURLs, &s.listenHTTP, true},
		{"listen-metrics-urls", s.ListenMetricsURLs, &s.listenMetrics, true},
	} {
		if optional := list.to == &s.listenHTTP || list.to == &s.listenMetrics; optional && list.value == "" {
			continue
		}
		if *list.to, err = parseURLs(list.flag, list.value); err != nil {
			return err
		}
		if !list.bind {
			continue
		}
		if err := checkBind(list.flag, *list.to); err != nil {
			return err
		}
	}
	return nil
}

// parseCluster derives identities and the first configuration.
func (s *settings) parseCluster() error {
	switch s.InitialClusterState {
	case "new", "existing":
		s.existing = s.InitialClusterState == "existing"
	default:
		return fmt.Errorf("--initial-cluster-state must be new or existing (set to %q)", s.InitialClusterState)
	}
	if err := s.checkDiscovery(); err != nil {
		return err
	}
	own := urlStrings(s.advertise)
	byName := map[string][]string{s.Name: own}
	if s.InitialCluster != "" {
		var err error
		if byName, err = parseCluster(s.InitialCluster); err != nil {
			return err
		}
	}
	listed, ok := byName[s.Name]
	if !ok {
		return fmt.Errorf("couldn't find local name %q in the initial cluster configuration (--initial-cluster=%s)", s.Name, s.InitialCluster)
	}
	if !slices.Equal(listed, own) {
		return fmt.Errorf("--initial-cluster has %s=%s but --initial-advertise-peer-urls is %s",
			s.Name, strings.Join(listed, ","), strings.Join(own, ","))
	}
	s.identify(byName)
	return nil
}

// checkDiscovery lets the members of a new cluster be named in one way only. A
// token of a service is the cluster's, too.
func (s *settings) checkDiscovery() error {
	ways := 0
	for _, given := range []bool{s.InitialCluster != "", s.Discovery.Wanted(), s.DiscoverySRV != ""} {
		if given {
			ways++
		}
	}
	if ways > 1 {
		return errors.New(`multiple discovery or bootstrap flags are set. Choose one of "initial-cluster", "discovery-endpoints" or "discovery-srv"`)
	}
	if err := s.Discovery.Check(); err != nil {
		return err
	}
	if s.Discovery.Wanted() {
		s.InitialClusterToken = s.Discovery.Token
	}
	return nil
}

func (s *settings) identify(byName map[string][]string) {
	s.named = byName
	var ids []uint64
	for name, urls := range byName {
		if name != s.Name {
			s.others = append(s.others, urls...)
		}
		id := MemberID(urls, s.InitialClusterToken)
		ids = append(ids, id)
		s.initial.Members = append(s.initial.Members, raft.Member{
			ID: raft.NodeID(id), Voter: true, Address: strings.Join(urls, ","),
		})
		if name == s.Name {
			s.member = id
		}
	}
	slices.Sort(s.others)
	slices.SortFunc(s.initial.Members, func(a, b raft.Member) int {
		if a.ID < b.ID {
			return -1
		}
		return 1
	})
	s.cluster = ClusterID(ids)
}

func (s *settings) parseCompaction() (err error) {
	s.compactor, err = newCompactor(s.AutoCompactionMode, s.AutoCompactionRetention, time.Now())
	return err
}

func (s *settings) parseGates() (err error) {
	if s.gates, err = parseGates(s.FeatureGates); err != nil {
		return fmt.Errorf("--feature-gates: %w", err)
	}
	if s.gates["LeaseCheckpointPersist"] && !s.gates["LeaseCheckpoint"] {
		return errors.New("enabling feature gate LeaseCheckpointPersist requires enabling feature gate LeaseCheckpoint")
	}
	return nil
}

// checkpointInterval is the time between two checkpoints of a lease, etcd's unless
// a test has set another.
func (s *settings) checkpointInterval() time.Duration {
	if s.leaseCheckpoints > 0 {
		return s.leaseCheckpoints
	}
	return 5 * time.Minute
}

// leaseTTLMin is the shortest lease in seconds: one and a half elections, so
// that a lease outlives the choice of a leader who can renew it.
func (s *settings) leaseTTLMin() int64 { return (int64(s.ElectionMS)*3/2 + 999) / 1000 }

// quota is what writes are checked against, 0 for no bound.
func (s *settings) quota() int64 {
	switch {
	case s.QuotaBytes == 0:
		return DefaultQuotaBytes
	case s.QuotaBytes < 0:
		return 0
	default:
		return s.QuotaBytes
	}
}

// ticks turns milliseconds into ticks, at least one.
func ticks(ms int) int { return max((ms+TickMS-1)/TickMS, 1) }

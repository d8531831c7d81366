package server

import (
	crand "crypto/rand"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"sync"

	"google.golang.org/grpc"

	"github.com/holdfast-db/holdfast/internal/disk"
	"github.com/holdfast-db/holdfast/internal/tlsconf"
	"github.com/holdfast-db/holdfast/raft"
	"github.com/holdfast-db/holdfast/server/api"
	"github.com/holdfast-db/holdfast/server/replica"
	"github.com/holdfast-db/holdfast/server/tracing"
	"github.com/holdfast-db/holdfast/transport"
	"github.com/holdfast-db/holdfast/transport/tcp"
	"github.com/holdfast-db/holdfast/wal"
)

// Server is a running member: a Replica with its drivers, and the faces it
// shows to clients and peers.
type Server struct {
	settings *settings
	log      *slog.Logger
	closeLog func() error
	metrics  *metrics
	tracer   *tracing.Tracer // nil: off
	replica  *replica.Replica
	driver   *driver
	backend  *backend
	network  *tcp.Transport
	peerHTTP *peerHTTP
	clients  []*endpoint
	// monitors serves probes and metrics on addresses of their own.
	monitors         *http.Server
	monitorListeners []net.Listener
	splitter         *splitter
	// clientTLS and peerTLS are nil without certificates.
	clientTLS, peerTLS *tlsconf.Source
	warden             *warden
	grpc               *grpc.Server
	http               *http.Server
	work               sync.WaitGroup
	corruption         *corruptionCheck
	restarted          bool // it had data when it was started

	stopping  chan struct{} // Stop was called, or the member failed
	stopOnce  sync.Once
	ready     chan struct{} // clients are served
	readyOnce sync.Once
	stopErr   error
	stopped   chan struct{} // everything has ended
}

// Start opens the data directory, binds all addresses and starts the member. It
// returns before the member can serve: that may take the others (see Ready).
// Errors are about the configuration, the disk or an address.
func Start(cfg Config) (*Server, error) {
	set, err := cfg.resolve()
	if err != nil {
		return nil, err
	}
	s := &Server{
		settings: set, log: cfg.Logger, closeLog: func() error { return nil }, metrics: newMetrics(set.WarningApply),
		stopping: make(chan struct{}), ready: make(chan struct{}), stopped: make(chan struct{}),
	}
	if s.log == nil {
		if s.log, s.closeLog, err = set.log.open(); err != nil {
			return nil, err
		}
	}
	s.announce()
	if err := s.open(); err != nil {
		return nil, errors.Join(err, s.closeLog())
	}
	s.run()
	return s, nil
}

// announce logs what was asked for.
func (s *Server) announce() {
	for _, w := range s.settings.Warnings {
		s.log.Warn(w)
	}
	if s.settings.UnsafeNoFsync {
		s.log.Warn("--unsafe-no-fsync: a power loss will lose acknowledged writes")
	}
	for _, line := range s.settings.raised {
		s.log.Info(line)
	}
	c := &s.settings.Config
	if c.BootstrapDefragMB > 0 {
		s.log.Info("Skipping defragmentation", "reason", "data is in memory", "bootstrap-defrag-threshold-megabytes", c.BootstrapDefragMB)
	}
	s.log.Info("starting holdfast", "name", c.Name, "data-dir", s.settings.dir, "wal-dir", s.settings.walDir,
		"member-id", hex(s.settings.member), "cluster-id", hex(s.settings.cluster),
		"initial-cluster", c.InitialCluster, "initial-cluster-state", c.InitialClusterState,
		"listen-client-urls", urlStrings(s.settings.listenClient), "advertise-client-urls", urlStrings(s.settings.advertiseClient),
		"listen-peer-urls", urlStrings(s.settings.listenPeer), "initial-advertise-peer-urls", urlStrings(s.settings.advertise),
		"heartbeat-interval", c.HeartbeatMS, "election-timeout", c.ElectionMS,
		"initial-election-tick-advance", c.ElectionTickAdvance, "pre-vote", c.PreVote,
		"snapshot-count", c.SnapshotCount, "snapshot-catchup-entries", c.CatchUpEntries,
		"quota-backend-bytes", s.settings.quota(), "v2-deprecation", "write-only", "api-version", api.Version)
}

// open acquires everything that can fail, and gives it back if something does.
func (s *Server) open() (err error) {
	var opened []func()
	defer func() {
		if err != nil {
			for i := len(opened) - 1; i >= 0; i-- {
				opened[i]()
			}
		}
	}()
	if s.tracer, err = tracing.Start(s.settings.Tracing, s.log); err != nil {
		return err
	}
	opened = append(opened, s.stopTracing)
	if err := s.openReplica(); err != nil {
		return err
	}
	opened = append(opened, func() { err = errors.Join(err, s.replica.Close()) })
	s.wire()
	if s.network, err = tcp.New(s.networkConfig()); err != nil {
		return err
	}
	s.driver.network = s.network
	opened = append(opened, s.network.Close)
	peerListeners, err := s.listenSecure(s.settings.listenPeer, s.peerTLS)
	if err != nil {
		return err
	}
	opened = append(opened, func() { closeAll(peerListeners) })
	if s.clients, err = s.settings.listenClients(); err != nil {
		return err
	}
	opened = append(opened, func() { closeEndpoints(s.clients) })
	if s.monitorListeners, err = s.listenSecure(s.settings.listenMetrics, s.clientTLS); err != nil {
		return err
	}
	opened = append(opened, func() { closeAll(s.monitorListeners) })
	for _, l := range peerListeners {
		if err := s.network.Serve(l); err != nil {
			return err
		}
	}
	return nil
}

// listenSecure binds addresses, with TLS on those that ask for it.
func (s *Server) listenSecure(urls []*url.URL, source *tlsconf.Source) (out []net.Listener, err error) {
	for _, u := range urls {
		ls, err := s.settings.listen(u)
		if err != nil {
			closeAll(out)
			return nil, fmt.Errorf("listen on %s: %w", u, err)
		}
		for _, l := range ls {
			out = append(out, secure(l, u, source))
		}
	}
	return out, nil
}

// wire makes the driver and the backend over the replica.
func (s *Server) wire() {
	s.driver = newDriver(s.replica, s.log, s.metrics)
	s.backend = &backend{
		settings: s.settings, replica: s.replica, driver: s.driver, metrics: s.metrics, tracer: s.tracer, log: s.log,
		warden: s.warden, stopped: make(chan struct{}), removed: s.leave, backups: make(chan struct{}, 1),
		responses: api.NewResponses(int64(s.settings.ResponseMemoryBytes), s.settings.limits.responseBytes, s.settings.requestTimeout()),
	}
	s.driver.pulse = s.backend.pulse
	s.warden.auth.Store(s.replica.Apply.State().Auth())
	s.backend.head.freed = s.replica.Apply.State().Store().CompactRevision()
	s.backend.head.publishRaft(s.replica.Core.Status())
	s.backend.head.publishState(s.replica.Apply.State())
	s.backend.head.authRevision.Store(s.replica.Apply.State().Auth().Revision())
	s.metrics.observe(s.backend)
	s.peerHTTP = newPeerHTTP(s.backend, s.log)
	s.corruption = s.backend.newCorruptionCheck(s.hashesOfOthers)
}

func (s *Server) replicaConfig(fs disk.FS) replica.Config {
	set := s.settings
	c := replica.DefaultConfig()
	c.FS, c.Dir, c.LogDir = fs, set.dir, set.walDir
	c.Member, c.Cluster, c.Initial = raft.NodeID(set.member), set.cluster, set.initial
	c.Rand = newRand()
	c.TickMicros, c.LateTicks = TickMS*1000, lateTicks
	c.ElectionTicks, c.HeartbeatTicks = ticks(set.ElectionMS), ticks(set.HeartbeatMS)
	c.ShortFirstWait, c.DisablePreVote = set.ElectionTickAdvance, !set.PreVote
	c.RequestTimeoutTicks = int(set.requestTimeout().Milliseconds() / TickMS)
	c.Sync = set.Sync
	if set.UnsafeNoFsync {
		c.Sync = wal.Policy{Mode: wal.SyncNone}
	}
	c.CatchUpEntries = int(set.CatchUpEntries)
	if set.gates["LeaseCheckpoint"] {
		c.CheckpointTicks = int(set.checkpointInterval().Milliseconds() / TickMS)
	}
	c.PriorityRevoke = set.gates["PriorityRequest"]
	c.AuthChanged, c.TokenAssigned = s.warden.auth.Store, s.warden.tokens.Assigned
	c.WatchFragmentBytes = set.requestBytesMax() + grpcOverheadBytes
	c.LoadRunner = func(task func()) (wait func()) {
		var done sync.WaitGroup
		done.Go(task)
		return done.Wait
	}
	c.WatchProgressTicks = int(set.WatchProgressInterval.Milliseconds() / TickMS)
	return c
}

// newRand seeds the replica's randomness (incarnation, salts, timeouts) from
// the machine's.
func newRand() *rand.Rand {
	var seed [16]byte
	_, _ = crand.Read(seed[:]) // never fails (crypto/rand)
	return rand.New(rand.NewPCG(binary.LittleEndian.Uint64(seed[:8]), binary.LittleEndian.Uint64(seed[8:])))
}

func (s *Server) networkConfig() tcp.Config {
	local, wanted := s.settings.localAddress()
	if wanted && local == nil {
		s.log.Warn("unable to set a member local address due to lack of suitable local addresses", "advertise-peer-urls", urlStrings(s.settings.advertise))
	}
	id := s.replica.Recovered()
	return tcp.Config{
		Self: func() transport.Hello {
			h := transport.Hello{
				Cluster: s.settings.cluster, From: raft.NodeID(s.settings.member),
				Incarnation: id.Incarnation, Boot: id.Boot, Term: raft.Term(s.backend.head.term.Load()),
			}
			if st := s.backend.head.raft.Load(); st != nil {
				h.Durable.Index = st.Persisted
			}
			return h
		},
		Advertise:       urlStrings(s.settings.advertise),
		Handler:         &peers{d: s.driver, removed: s.leave},
		Vet:             s.vet,
		HTTP:            s.peerHTTP.give,
		Logger:          s.log,
		ReadTimeout:     s.settings.RaftReadTimeout,
		WriteTimeout:    s.settings.RaftWriteTimeout,
		SnapshotTimeout: max(snapshotTimeout, s.settings.RaftReadTimeout, s.settings.RaftWriteTimeout),
		DialTLS:         s.dialTLS,
		LocalAddress:    local,
		Rejected: func(conn *tls.Conn, err error) {
			logRejected(s.log, "rejected connection on peer endpoint", conn, err)
		},
	}
}

// hex prints an id as etcd does.
func hex(id uint64) string { return strconv.FormatUint(id, 16) }

// MemberID is this member's id.
func (s *Server) MemberID() uint64 { return s.settings.member }

// ClientAddrs are the addresses that clients are served on.
func (s *Server) ClientAddrs() []net.Addr {
	var out []net.Addr
	for _, l := range s.clients {
		out = append(out, l.Addr())
	}
	return out
}

// Status tells how the member is.
func (s *Server) Status() api.Status { return s.backend.Status() }

// Ready is closed once clients are served, linearizable requests included. A
// member without a quorum isn't ready.
func (s *Server) Ready() <-chan struct{} { return s.ready }

// Stopped is closed when the member has ended, by Stop or by a failure.
func (s *Server) Stopped() <-chan struct{} { return s.stopped }

// Err tells why the member ended, nil after a clean stop. It may be called once
// Stopped is closed.
func (s *Server) Err() error { return s.stopErr }

package replica

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"path"

	"github.com/holdfast-db/holdfast/mvcc"
	"github.com/holdfast-db/holdfast/raft"
	"github.com/holdfast-db/holdfast/server/auth"
	"github.com/holdfast-db/holdfast/server/state"
	"github.com/holdfast-db/holdfast/snapshot"
	"github.com/holdfast-db/holdfast/wal"
)

// Replica is one member, as three actors. See the package comment.
type Replica struct {
	Core  *Core
	Log   *Log
	Apply *Apply

	dir        *snapshot.Dir
	recovered  *wal.Recovered
	loadRunner snapshot.Runner
}

// SnapshotDir is where snapshots lie within Config.Dir.
const SnapshotDir = "snap"

// ErrIdentity: the data directory belongs to another member or cluster.
var ErrIdentity = errors.New("replica: data directory of another member or cluster")

// Open recovers a member from its directory, or makes a new one there. All
// disk work happens before it returns; a damaged disk is an error that says
// what is damaged and what to do.
func Open(cfg Config) (*Replica, error) {
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	if cfg.Sync.OneByOne() {
		cfg.BatchCommandsMax = 1
	}
	log, rec, err := openLog(&cfg)
	if err != nil {
		return nil, err
	}
	r, err := assemble(cfg, log, rec)
	if err != nil {
		return nil, errors.Join(err, log.Close())
	}
	return r, nil
}

// openLog opens the log, after making it if the directory holds none.
func openLog(cfg *Config) (*wal.Log, *wal.Recovered, error) {
	options := walOptions(cfg)
	exists, err := wal.Exists(cfg.FS, cfg.logDir())
	if err != nil {
		return nil, nil, err
	}
	if !exists {
		initial := raft.SnapshotMeta{Config: raft.ConfigAt{Config: cfg.Initial}}
		if err := wal.Create(options, newIdentity(cfg), initial); err != nil {
			return nil, nil, err
		}
	}
	log, rec, err := wal.Open(options)
	if err != nil {
		return nil, nil, err
	}
	if rec.Cluster != cfg.Cluster || rec.Member != uint64(cfg.Member) {
		err := fmt.Errorf("%w: %s holds member %x of cluster %x, this is member %x of cluster %x; check --name, --initial-cluster and --initial-cluster-token, or use another --data-dir",
			ErrIdentity, cfg.logDir(), rec.Member, rec.Cluster, uint64(cfg.Member), cfg.Cluster)
		return nil, nil, errors.Join(err, log.Close())
	}
	if err := checkRemembered(cfg, rec); err != nil {
		return nil, nil, errors.Join(err, log.Close())
	}
	return log, rec, nil
}

func walOptions(cfg *Config) wal.Options {
	return wal.Options{
		FS: cfg.FS, Dir: cfg.logDir(), SegmentBytes: cfg.SegmentBytes, Policy: cfg.Sync,
		Salt: cfg.Rand.Uint64,
	}
}

// newIdentity is that of a member that has no data yet.
func newIdentity(cfg *Config) wal.Identity {
	return wal.Identity{
		Cluster: cfg.Cluster, Member: uint64(cfg.Member),
		Incarnation: raft.Incarnation(cfg.Rand.Uint64() | 1),
	}
}

// assemble builds the three actors from what was recovered.
func assemble(cfg Config, log *wal.Log, rec *wal.Recovered) (*Replica, error) {
	dir, err := snapshot.OpenDir(snapshot.Options{
		FS: cfg.FS, Path: path.Join(cfg.Dir, SnapshotDir), Cluster: cfg.Cluster, Benches: cfg.SnapshotBenches,
	})
	if err != nil {
		return nil, err
	}
	r := &Replica{dir: dir, recovered: rec, loadRunner: cfg.LoadRunner}
	origin := state.RequestID{Member: uint64(cfg.Member), Incarnation: uint64(rec.Incarnation), Boot: rec.Boot}
	r.Apply = &Apply{
		cfg: cfg, origin: origin, sinks: map[mvcc.StreamID]func([]mvcc.WatchResponse){},
		sessions: map[mvcc.StreamID]auth.Session{}, pending: newPending(),
		open: r.loadState, snapshot: r.snapshotJob,
	}
	meta, bytes, err := r.restoreNewest(rec)
	if err != nil {
		return nil, err
	}
	r.Apply.hub = mvcc.NewHub(r.Apply.state.Store(), hubOptions(&cfg))
	node, err := raft.New(raftConfig(&cfg, rec), raftBoot(rec, meta))
	if err != nil {
		return nil, err
	}
	log.CountFrom(meta.Last.Index)
	r.Log = &Log{cfg: cfg, wal: log, retire: r.retire}
	r.Core = &Core{
		cfg: cfg, node: node, origin: origin, applied: meta.Last.Index, pendingFrom: 1,
		applyCredit: cfg.ApplyBytesMax, snaps: snapshots{newest: meta, bytes: bytes, depended: rec.Snapshot.Last.Index},
	}
	r.Core.persist.stats = log.Stats()
	return r, nil
}

func hubOptions(cfg *Config) mvcc.HubOptions {
	return mvcc.HubOptions{FragmentBytes: cfg.WatchFragmentBytes}
}

// restoreNewest makes the state from the newest snapshot that the log holds
// the last entry of, or from nothing. A damaged file is passed over if the one
// before it will do, with the log that follows it.
func (r *Replica) restoreNewest(rec *wal.Recovered) (meta raft.SnapshotMeta, bytes int64, err error) {
	infos, err := r.dir.List()
	if err != nil {
		return meta, 0, err
	}
	var damaged error
	for i := len(infos) - 1; i >= 0; i-- {
		info := infos[i]
		if info.Last.Index+1 < rec.First || !holds(rec, info.Last) {
			continue
		}
		s, meta, err := r.loadState(info.Last)
		if err == nil {
			r.Apply.state, r.Apply.config = s, meta.Config
			return meta, info.Size, nil
		}
		damaged = errors.Join(damaged, err)
	}
	if rec.First > 1 {
		return meta, 0, fmt.Errorf("replica: the log starts at %d and no snapshot reaches it; restore this member from the others (remove it, wipe its directory, add it again): %w",
			rec.First, errors.Join(damaged, errNoSnapshot))
	}
	initial := rec.Snapshot
	if initial.Last.Index > 0 {
		// The log is whole, so it tells of every configuration but the first; and
		// no command comes before the one that follows that (see Core.propose).
		initial = raft.SnapshotMeta{Config: raft.ConfigAt{Config: r.Apply.cfg.Initial}}
	}
	r.Apply.config = initial.Config
	r.Apply.state = state.New(r.stateOptions(initial.Config.Config))
	return initial, 0, nil
}

var errNoSnapshot = errors.New("replica: no usable snapshot")

// holds reports whether the recovered log has an entry of that identity.
func holds(rec *wal.Recovered, id raft.EntryID) bool {
	if id == rec.Prev {
		return true
	}
	if id.Index < rec.First || id.Index > rec.Last {
		return false
	}
	var term raft.Term
	for _, start := range rec.Terms {
		if start.Index <= id.Index {
			term = start.Term
		}
	}
	return term == id.Term
}

func (r *Replica) stateOptions(config raft.Configuration) state.Options {
	return state.Options{
		Members: membership(config).Members, LeaseChanged: r.Apply.leaseChanged,
		AuthChanged: r.Apply.authChanged, TokenAssigned: r.Apply.cfg.TokenAssigned,
		Store: mvcc.Options{ChunkBytes: r.Apply.cfg.HistoryChunkBytes},
	}
}

func raftConfig(cfg *Config, rec *wal.Recovered) raft.Config {
	return raft.Config{
		ID: cfg.Member, Incarnation: rec.Incarnation, Boot: rec.Boot, Nonce: cfg.Rand.Uint64() | 1,
		ElectionTicks: cfg.ElectionTicks, HeartbeatTicks: cfg.HeartbeatTicks, PeerClosedTicks: cfg.PeerClosedTick,
		DisablePreVote:    cfg.DisablePreVote,
		Rand:              rand.New(rand.NewPCG(cfg.Rand.Uint64(), cfg.Rand.Uint64())),
		MessageEntriesMax: cfg.MessageEntriesMax, MessageBytesMax: cfg.MessageBytesMax,
		InflightMessagesMax: cfg.InflightMessagesMax, InflightBytesMax: cfg.InflightBytesMax,
		UncommittedBytesMax: cfg.UncommittedBytesMax,
		TailBytesMax:        cfg.TailBytesMax, TailEntriesMax: cfg.TailEntriesMax,
	}
}

func raftBoot(rec *wal.Recovered, meta raft.SnapshotMeta) raft.Boot {
	boot := raft.Boot{
		HardState: rec.HardState, Snapshot: meta, First: rec.First, Last: rec.Last, Prev: rec.Prev,
		Terms: rec.Terms, Tail: rec.Tail, Peers: rec.Peers,
	}
	if boot.HardState.Term < boot.Prev.Term { // just restored: it has not voted yet
		boot.HardState.Term, boot.HardState.Vote = boot.Prev.Term, 0
	}
	for _, c := range rec.Configs {
		if c.At.Index > meta.Config.At.Index {
			boot.Configs = append(boot.Configs, c)
		}
	}
	return boot
}

// Recovered tells what was found on the disk at Open.
func (r *Replica) Recovered() *wal.Recovered { return r.recovered }

// Actor returns an actor by its name.
func (r *Replica) Actor(id ActorID) Actor {
	return [...]Actor{ToCore: r.Core, ToLog: r.Log, ToApply: r.Apply}[id]
}

// Close ends a member cleanly: what is known is marked durable, files are
// closed. No actor may be used afterwards.
func (r *Replica) Close() error { return r.Log.wal.Close() }

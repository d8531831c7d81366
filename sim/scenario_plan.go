package sim

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"

	"github.com/holdfast-db/holdfast/server/replica"
	"github.com/holdfast-db/holdfast/wal"
)

// plan is what a run of the scenario goes by.
func (s *Scenario) plan() (Plan, error) {
	p := quietPlan(s)
	if s.Swarm {
		p = newPlan(Options{Seed: s.Seed, Nodes: s.Nodes, Faults: s.Faults})
	}
	if s.Clients > 0 {
		p.Load.Clients = s.Clients
	}
	p.Faults = [faultKinds]int64{}
	for _, set := range s.settings {
		if err := set.apply(&p); err != nil {
			return p, err
		}
		if why := p.senseless(); why != "" {
			return p, set.wrong("%s", why)
		}
	}
	return p, nil
}

// senseless says why no cluster can live by the plan; "" if one can.
func (p *Plan) senseless() string {
	for _, c := range []struct {
		name  string
		value int64
	}{
		{"Raft.TickMicros", p.Raft.TickMicros},
		{"Raft.HeartbeatTicks", int64(p.Raft.HeartbeatTicks)},
		{"Raft.MessageEntriesMax", int64(p.Raft.MessageEntriesMax)},
		{"Raft.MessageBytesMax", int64(p.Raft.MessageBytesMax)},
		{"Raft.InflightMessagesMax", int64(p.Raft.InflightMessagesMax)},
		{"Raft.InflightBytesMax", int64(p.Raft.InflightBytesMax)},
		{"Raft.UncommittedBytesMax", int64(p.Raft.UncommittedBytesMax)},
		{"Raft.TailBytesMax", int64(p.Raft.TailBytesMax)},
		{"Raft.TailEntriesMax", int64(p.Raft.TailEntriesMax)},
		{"Replica.RequestTimeoutTicks", int64(p.Replica.RequestTimeoutTicks)},
		{"Replica.BatchCommandsMax", int64(p.Replica.BatchCommandsMax)},
		{"Replica.BatchBytesMax", int64(p.Replica.BatchBytesMax)},
		{"Replica.ApplyBytesMax", int64(p.Replica.ApplyBytesMax)},
		{"Replica.ApplyGapMax", int64(p.Replica.ApplyGapMax)},
		{"Replica.SnapshotLogBytesMin", p.Replica.SnapshotLogBytesMin},
		{"Replica.WatchFragmentBytes", int64(p.Replica.WatchFragmentBytes)},
		{"Replica.WatchProgressTicks", int64(p.Replica.WatchProgressTicks)},
		{"Replica.HistoryChunkBytes", int64(p.Replica.HistoryChunkBytes)}, {"Replica.WatchStepEvents", int64(p.Replica.WatchStepEvents)},
		{"Replica.CompactStepKeys", int64(p.Replica.CompactStepKeys)},
		{"Net.ChunkBytes", int64(p.Net.ChunkBytes)},
		{"Net.ChunkMicros", p.Net.ChunkMicros},
		{"Load.Keys", int64(p.Load.Keys)},
		{"Load.ThinkMean", p.Load.ThinkMean},
		{"Load.Timeout", p.Load.Timeout},
		{"Load.LeaseTTLMax", p.Load.LeaseTTLMax},
		{"Load.WatchCredit", int64(p.Load.WatchCredit)},
	} {
		if c.value < 1 {
			return c.name + " must be at least 1"
		}
	}
	switch _, err := wal.ParsePolicy(p.Replica.Sync); {
	case err != nil:
		return err.Error()
	case p.Raft.HeartbeatTicks >= p.Raft.ElectionTicks:
		return "Raft.HeartbeatTicks must be below Raft.ElectionTicks"
	case p.Replica.SegmentBytes < 16<<10:
		return "Replica.SegmentBytes must be at least 16384"
	case p.Load.Clients > clientsMax || p.Load.Lockers > clientsMax || p.Load.Watchers > clientsMax:
		return fmt.Sprintf("there can be at most %d clients or watchers", clientsMax)
	}
	return ""
}

// quietPlan is a cluster as people run it, only quicker to elect: a LAN, good
// disks, the server's own limits.
func quietPlan(s *Scenario) Plan {
	c := replica.DefaultConfig()
	return Plan{
		Seed: s.Seed, Nodes: s.Nodes, Converge: 30 * second, OutageMean: second,
		Raft: RaftKnobs{
			TickMicros: c.TickMicros, ElectionTicks: 20, HeartbeatTicks: 2, PeerClosedTicks: c.PeerClosedTick,
			MessageEntriesMax: c.MessageEntriesMax, MessageBytesMax: c.MessageBytesMax,
			InflightMessagesMax: c.InflightMessagesMax, InflightBytesMax: c.InflightBytesMax,
			UncommittedBytesMax: c.UncommittedBytesMax, TailBytesMax: c.TailBytesMax, TailEntriesMax: c.TailEntriesMax,
		},
		Replica: ReplicaKnobs{
			RequestTimeoutTicks: 100, Sync: "group", SegmentBytes: 64 << 10,
			BatchCommandsMax: c.BatchCommandsMax, BatchBytesMax: c.BatchBytesMax, ApplyBytesMax: c.ApplyBytesMax, ApplyGapMax: c.ApplyGapMax,
			SnapshotLogBytesMin: 4 << 20, CatchUpEntries: c.CatchUpEntries, WatchFragmentBytes: c.WatchFragmentBytes, WatchProgressTicks: 100,
			HistoryChunkBytes: c.HistoryChunkBytes, WatchStepEvents: c.WatchStepEvents, CompactStepKeys: c.CompactStepKeys,
		},
		Net:  NetKnobs{DelayMin: 100, DelayMean: 100, ChunkBytes: 64 << 10, ChunkMicros: 100},
		Disk: DiskKnobs{SyncMean: 200},
		Load: quietLoad(),
	}
}

// quietLoad has no clients of its own, only how they would be.
func quietLoad() LoadKnobs {
	k := LoadKnobs{Keys: 20, ThinkMean: 20 * millisecond, Timeout: 2 * second, SwitchPercent: 5, LeaseTTLMax: 2, WatchCredit: 4, SlowWatcher: 50}
	for i := range k.Weights {
		k.Weights[i] = opTable[i].weight
	}
	return k
}

// apply sets a field of the plan, as its printed form names it: Raft.TickMicros.
func (s *setting) apply(p *Plan) error {
	v := reflect.ValueOf(p).Elem()
	if !strings.Contains(s.name, ".") && s.name != "DriftPPM" {
		return s.wrong("settings have names like Raft.ElectionTicks, Net.DropPPM, Load.Keys, or DriftPPM")
	}
	for _, name := range strings.Split(s.name, ".") {
		if v.Kind() != reflect.Struct {
			return s.wrong("no setting is called %q", s.name)
		}
		if v = v.FieldByName(name); !v.IsValid() {
			return s.wrong("no setting is called %q", s.name)
		}
	}
	switch v.Kind() {
	case reflect.Int, reflect.Int64:
		n, err := strconv.ParseInt(s.value, 10, 64)
		if err != nil || n < 0 {
			return s.wrong("%s is a number, not %q", s.name, s.value)
		}
		v.SetInt(n)
	case reflect.Bool:
		b, err := strconv.ParseBool(s.value)
		if err != nil {
			return s.wrong("%s is true or false, not %q", s.name, s.value)
		}
		v.SetBool(b)
	case reflect.String:
		v.SetString(s.value)
	default:
		return s.wrong("%s can't be set", s.name)
	}
	return nil
}

func (s *setting) wrong(format string, args ...any) error {
	return &ParseError{Line: s.line, Column: s.at.column, Text: fmt.Sprintf(format, args...)}
}

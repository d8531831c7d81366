package replica

import (
	"errors"
	"fmt"

	"github.com/holdfast-db/holdfast/wal"
)

// DefaultConfig holds the limits that fit a server on one machine; identity,
// disk, randomness and initial members are the caller's. Times are for ticks
// of 10 ms: heartbeats every 100 ms, elections after 1 to 2 s, as etcd.
func DefaultConfig() Config {
	return Config{
		TickMicros:          10_000,
		LateTicks:           1,
		ElectionTicks:       100,
		HeartbeatTicks:      10,
		PeerClosedTick:      3,
		ShortFirstWait:      true,
		RequestTimeoutTicks: 700, // 5 s + 2 elections
		Sync:                wal.Policy{Mode: wal.SyncGroup},
		SegmentBytes:        16 << 20,
		BatchCommandsMax:    4096,
		BatchBytesMax:       1 << 20,
		PendingMax:          60_000,
		ApplyGapMax:         5000,
		ApplyBytesMax:       8 << 20,
		SnapshotLogBytesMin: 64 << 20,
		CatchUpEntries:      5000,
		MessageEntriesMax:   1024,
		MessageBytesMax:     1 << 20,
		InflightMessagesMax: 256,
		InflightBytesMax:    16 << 20,
		UncommittedBytesMax: 64 << 20,
		TailBytesMax:        16 << 20,
		TailEntriesMax:      8192,
		WatchFragmentBytes:  2 << 20,
		WatchProgressTicks:  60_000, // 10 min
		HistoryChunkBytes:   256 << 10,
		WatchStepEvents:     4096,
		CompactStepKeys:     1000,
	}
}

// logDir is where the log lies.
func (c *Config) logDir() string {
	if c.LogDir != "" {
		return c.LogDir
	}
	return c.Dir
}

// validate reports the first setting that can't work, by name.
func (c *Config) validate() error {
	if c.FS == nil || c.Rand == nil || c.Dir == "" {
		return errors.New("replica: FS, Dir and Rand must be set")
	}
	if c.Member == 0 || c.Cluster == 0 {
		return errors.New("replica: Member and Cluster must not be 0")
	}
	positive := []struct {
		name  string
		value int64
	}{
		{"TickMicros", c.TickMicros}, {"LateTicks", int64(c.LateTicks)}, {"ElectionTicks", int64(c.ElectionTicks)},
		{"HeartbeatTicks", int64(c.HeartbeatTicks)}, {"RequestTimeoutTicks", int64(c.RequestTimeoutTicks)},
		{"SegmentBytes", c.SegmentBytes}, {"BatchCommandsMax", int64(c.BatchCommandsMax)},
		{"BatchBytesMax", int64(c.BatchBytesMax)}, {"PendingMax", int64(c.PendingMax)},
		{"ApplyGapMax", int64(c.ApplyGapMax)}, {"ApplyBytesMax", int64(c.ApplyBytesMax)},
		{"SnapshotLogBytesMin", c.SnapshotLogBytesMin}, {"HistoryChunkBytes", int64(c.HistoryChunkBytes)},
		{"WatchStepEvents", int64(c.WatchStepEvents)}, {"CompactStepKeys", int64(c.CompactStepKeys)},
	}
	for _, p := range positive {
		if p.value <= 0 {
			return fmt.Errorf("replica: %s must be positive, is %d", p.name, p.value)
		}
	}
	if c.HeartbeatTicks >= c.ElectionTicks {
		return fmt.Errorf("replica: HeartbeatTicks (%d) must be below ElectionTicks (%d)", c.HeartbeatTicks, c.ElectionTicks)
	}
	if c.PendingMax > pendingSlots-4096 {
		return fmt.Errorf("replica: PendingMax must be at most %d, is %d", pendingSlots-4096, c.PendingMax)
	}
	return nil
}

package main

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"
)

// machine is what the figures depend on.
type machine struct {
	CPU        string        `json:"cpu"`
	Cores      int           `json:"cores"`
	OS         string        `json:"os"`
	Go         string        `json:"go"`
	SyncP50    time.Duration `json:"sync_p50_ns"` // of a 4 KiB write and fsync where the data lies
	MeasuredAt string        `json:"measured_at"`
}

func (m machine) String() string {
	return fmt.Sprintf("%s, %d cores, %s, %s; a 4 KiB write and fsync takes %.2f ms (p50); %s",
		m.CPU, m.Cores, m.OS, m.Go, float64(m.SyncP50)/float64(time.Millisecond), m.MeasuredAt)
}

func describeMachine(dir string) machine {
	return machine{
		CPU:        cpuName(),
		Cores:      runtime.NumCPU(),
		OS:         runtime.GOOS + "/" + runtime.GOARCH,
		Go:         runtime.Version(),
		SyncP50:    syncLatency(dir),
		MeasuredAt: time.Now().UTC().Format("2006-01-02"),
	}
}

func cpuName() string {
	f, err := os.Open("/proc/cpuinfo")
	if err != nil {
		return "unknown CPU"
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if name, value, ok := strings.Cut(lines.Text(), ":"); ok && strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return "unknown CPU"
}

// syncLatency is the median of 100; 0 if the disk refuses.
func syncLatency(dir string) time.Duration {
	f, err := os.Create(filepath.Join(dir, "sync"))
	if err != nil {
		return 0
	}
	defer f.Close()
	block := make([]byte, 4096)
	var took []time.Duration
	for range 100 {
		start := time.Now()
		if _, err := f.Write(block); err != nil {
			return 0
		}
		if err := f.Sync(); err != nil {
			return 0
		}
		took = append(took, time.Since(start))
	}
	slices.Sort(took)
	return took[len(took)/2]
}

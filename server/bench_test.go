package server

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"testing"

	"github.com/holdfast-db/holdfast/mvcc"
	"github.com/holdfast-db/holdfast/wal"
)

// benchMember is a lone member without gRPC in front.
func benchMember(b *testing.B) *backend {
	b.Helper()
	cfg := DefaultConfig()
	cfg.DataDir = filepath.Join(b.TempDir(), "data")
	cfg.ListenClientURLs, cfg.AdvertiseClientURLs = "unix://"+filepath.Join(b.TempDir(), "c"), "http://c:1"
	cfg.ListenPeerURLs = "unix://" + filepath.Join(b.TempDir(), "p")
	cfg.Logger = slog.New(slog.DiscardHandler)
	cfg.Sync = wal.Policy{Mode: wal.SyncNone}
	s, err := Start(cfg)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := s.Stop(); err != nil {
			b.Error(err)
		}
	})
	<-s.Ready()
	return s.backend
}

// BenchmarkPropose is what a put costs between its handler and its reply, without
// gRPC and without waiting for a disk.
func BenchmarkPropose(b *testing.B) {
	for _, clients := range []int{1, 256} {
		b.Run(fmt.Sprintf("clients=%d", clients), func(b *testing.B) {
			backend := benchMember(b)
			value := make([]byte, 256)
			b.ReportAllocs()
			b.SetParallelism(clients)
			b.RunParallel(func(p *testing.PB) {
				key := make([]byte, 32)
				for i := 0; p.Next(); i++ {
					copy(key, fmt.Sprintf("%032d", i))
					if _, err := backend.Propose(context.Background(), &mvcc.PutRequest{Key: key, Value: value}); err != nil {
						b.Fatal(err)
					}
				}
			})
		})
	}
}

// BenchmarkView is what a linearizable read costs before it reads.
func BenchmarkView(b *testing.B) {
	for _, clients := range []int{1, 256} {
		b.Run(fmt.Sprintf("clients=%d", clients), func(b *testing.B) {
			backend := benchMember(b)
			b.ReportAllocs()
			b.SetParallelism(clients)
			b.RunParallel(func(p *testing.PB) {
				for p.Next() {
					if _, err := backend.View(context.Background(), true); err != nil {
						b.Fatal(err)
					}
				}
			})
		})
	}
}

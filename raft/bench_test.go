package raft_test

import (
	"fmt"
	"testing"

	"github.com/holdfast-db/holdfast/raft"
)

// BenchmarkReplicate measures what raft itself costs from proposal to apply on
// three members, without disk, network or codec: each iteration proposes a batch
// and lets it be committed and applied everywhere.
func BenchmarkReplicate(b *testing.B) {
	for _, batch := range []int{1, 64} {
		b.Run(fmt.Sprintf("batch=%d/entry=256", batch), func(b *testing.B) { benchReplicate(b, batch, 256) })
	}
}

func benchReplicate(b *testing.B, batch, size int) {
	var r benchRing
	for id := raft.NodeID(1); id <= 3; id++ {
		n, err := raft.New(soloConfig(id), bootWith(3, 0))
		if err != nil {
			b.Fatal(err)
		}
		r.nodes = append(r.nodes, n)
	}
	r.nodes[0].Campaign()
	r.settle()
	data := make([][]byte, batch)
	for k := range data {
		data[k] = make([]byte, size)
	}
	start := r.nodes[0].Commit()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := r.nodes[0].Propose(data); err != nil {
			b.Fatal(err)
		}
		r.settle()
	}
	for _, n := range r.nodes[:1] {
		if got := int(n.Commit() - start); got != b.N*batch {
			b.Fatalf("%d entries committed, proposed %d", got, b.N*batch)
		}
	}
	b.ReportMetric(float64(b.N*batch)/b.Elapsed().Seconds(), "entries/s")
}

// benchRing is three nodes with perfect disks and links.
type benchRing struct {
	nodes []*raft.Node
	net   []raft.Message
}

// settle runs the nodes until nothing moves.
func (r *benchRing) settle() {
	credit := raft.Credit{Persist: true, ApplyBytes: 1 << 20}
	for moved := true; moved; {
		moved = false
		for _, n := range r.nodes {
			for n.HasReady(credit) {
				r.perform(n, n.Output(credit))
				moved = true
			}
		}
		net := r.net
		r.net = nil
		for k := range net {
			r.nodes[net[k].To-1].Receive(net[k])
			moved = true
		}
	}
}

func (r *benchRing) perform(n *raft.Node, out raft.Output) {
	r.net = append(r.net, out.Send...)
	if out.Persist != nil {
		n.Persisted(out.Persist.Write)
		r.net = append(r.net, out.Persist.After...)
	}
	if k := len(out.Apply); k > 0 {
		n.Applied(out.Apply[k-1].Index)
	}
}

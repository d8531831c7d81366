package grpcproxy

import (
	"context"
	"sync/atomic"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// keys is what answers requests about keys: the members, or a layer over them. A
// layer may change requests that it is given, and answers that it gets: they are
// its own.
type keys interface {
	Range(context.Context, *pb.RangeRequest) (*pb.RangeResponse, error)
	// RangeStream calls send for each part, from this goroutine.
	RangeStream(ctx context.Context, r *pb.RangeRequest, send func(*pb.RangeStreamResponse) error) error
	Put(context.Context, *pb.PutRequest) (*pb.PutResponse, error)
	DeleteRange(context.Context, *pb.DeleteRangeRequest) (*pb.DeleteRangeResponse, error)
	Txn(context.Context, *pb.TxnRequest) (*pb.TxnResponse, error)
	Compact(context.Context, *pb.CompactionRequest) (*pb.CompactionResponse, error)
}

// tide is the highest revision that an answer has shown.
type tide struct{ revision atomic.Int64 }

func (t *tide) seen(header *pb.ResponseHeader) {
	revision := header.GetRevision()
	for {
		known := t.revision.Load()
		if revision <= known || t.revision.CompareAndSwap(known, revision) {
			return
		}
	}
}

func (t *tide) mark() int64 { return t.revision.Load() }

// members are the bottom: each request goes to one that can be reached, in turn.
type members struct {
	client pb.KVClient
	tide   *tide
	count  func() int // how many there are
}

var _ keys = (*members)(nil)

// Range asks another member when one can't be reached: reading twice is reading.
func (m *members) Range(ctx context.Context, r *pb.RangeRequest) (resp *pb.RangeResponse, err error) {
	for range m.count() + 1 {
		resp, err = m.client.Range(ctx, r)
		if status.Code(err) != codes.Unavailable || ctx.Err() != nil {
			break
		}
	}
	m.tide.seen(resp.GetHeader())
	return resp, err
}

func (m *members) RangeStream(ctx context.Context, r *pb.RangeRequest, send func(*pb.RangeStreamResponse) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := m.client.RangeStream(ctx, r)
	if err != nil {
		return err
	}
	return relay(stream, func(part *pb.RangeStreamResponse) error {
		m.tide.seen(part.GetRangeResponse().GetHeader())
		return send(part)
	})
}

func (m *members) Put(ctx context.Context, r *pb.PutRequest) (*pb.PutResponse, error) {
	resp, err := m.client.Put(ctx, r)
	m.tide.seen(resp.GetHeader())
	return resp, err
}

func (m *members) DeleteRange(ctx context.Context, r *pb.DeleteRangeRequest) (*pb.DeleteRangeResponse, error) {
	resp, err := m.client.DeleteRange(ctx, r)
	m.tide.seen(resp.GetHeader())
	return resp, err
}

func (m *members) Txn(ctx context.Context, r *pb.TxnRequest) (*pb.TxnResponse, error) {
	resp, err := m.client.Txn(ctx, r)
	m.tide.seen(resp.GetHeader())
	return resp, err
}

func (m *members) Compact(ctx context.Context, r *pb.CompactionRequest) (*pb.CompactionResponse, error) {
	resp, err := m.client.Compact(ctx, r)
	m.tide.seen(resp.GetHeader())
	return resp, err
}

package grpcproxy

import (
	"context"
	"errors"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/client/v3/leasing"
	"go.etcd.io/etcd/client/v3/namespace"
	"google.golang.org/grpc"
	"google.golang.org/grpc/status"
)

// leased answers linearizable reads of single keys from memory, as long as the
// proxy owns the key: package leasing of etcd's client writes down under a prefix
// who owns what, and whoever wants to write a key has its owner let go of it first.
// All proxies of a cluster must use the same prefix, and all writers a proxy.
type leased struct {
	keys // below: for what leasing has no word for
	kv   clientv3.KV
}

// newLeased makes the layer and what ends it.
func newLeased(inner *clientv3.Client, below keys, prefix string) (*leased, func(), error) {
	kv, end, err := leasing.NewKV(inner, prefix)
	if err != nil {
		return nil, nil, err
	}
	return &leased{below, kv}, end, nil
}

// Range asks the members on behalf of somebody with a token: only they know what
// he may read.
func (l *leased) Range(ctx context.Context, r *pb.RangeRequest) (*pb.RangeResponse, error) {
	if callerOf(ctx).token != "" {
		return l.keys.Range(ctx, r)
	}
	if len(r.Key) == 0 {
		return nil, rpctypes.ErrGRPCEmptyKey
	}
	resp, err := l.kv.Do(ctx, rangeOp(r))
	return (*pb.RangeResponse)(resp.Get()), fromClient(err)
}

func (l *leased) Put(ctx context.Context, r *pb.PutRequest) (*pb.PutResponse, error) {
	if len(r.Key) == 0 {
		return nil, rpctypes.ErrGRPCEmptyKey
	}
	resp, err := l.kv.Do(ctx, putOp(r))
	return (*pb.PutResponse)(resp.Put()), fromClient(err)
}

func (l *leased) DeleteRange(ctx context.Context, r *pb.DeleteRangeRequest) (*pb.DeleteRangeResponse, error) {
	if len(r.Key) == 0 {
		return nil, rpctypes.ErrGRPCEmptyKey
	}
	resp, err := l.kv.Do(ctx, deleteOp(r))
	return (*pb.DeleteRangeResponse)(resp.Del()), fromClient(err)
}

func (l *leased) Txn(ctx context.Context, r *pb.TxnRequest) (*pb.TxnResponse, error) {
	op, err := txnOp(r)
	if err != nil {
		return nil, err
	}
	resp, err := l.kv.Do(ctx, op)
	return (*pb.TxnResponse)(resp.Txn()), fromClient(err)
}

// fromClient turns the client library's errors into what goes over the wire.
func fromClient(err error) error {
	var known rpctypes.EtcdError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &known):
		return status.Error(known.Code(), known.Error())
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return status.FromContextError(err).Err()
	}
	return err
}

// newInner is a client on top of the keys below, as leasing and the resolver need
// one: for whoever uses it, the space is all there is.
func newInner(ctx context.Context, client *clientv3.Client, below keys, s space) *clientv3.Client {
	inner := clientv3.NewCtxClient(ctx)
	inner.KV, inner.Watcher, inner.Lease = clientv3.NewKVFromKVClient(keysClient{below}, nil), clientv3.NewWatcher(client), clientv3.NewLease(client)
	if s != "" {
		inner.KV = namespace.NewKV(inner.KV, string(s))
		inner.Watcher = namespace.NewWatcher(inner.Watcher, string(s))
		inner.Lease = namespace.NewLease(inner.Lease, string(s))
	}
	return inner
}

// keysClient lets the client library talk to a layer.
type keysClient struct{ below keys }

var _ pb.KVClient = keysClient{}

func (c keysClient) Range(ctx context.Context, r *pb.RangeRequest, _ ...grpc.CallOption) (*pb.RangeResponse, error) {
	return c.below.Range(ctx, r)
}

func (c keysClient) Put(ctx context.Context, r *pb.PutRequest, _ ...grpc.CallOption) (*pb.PutResponse, error) {
	return c.below.Put(ctx, r)
}

func (c keysClient) DeleteRange(ctx context.Context, r *pb.DeleteRangeRequest, _ ...grpc.CallOption) (*pb.DeleteRangeResponse, error) {
	return c.below.DeleteRange(ctx, r)
}

func (c keysClient) Txn(ctx context.Context, r *pb.TxnRequest, _ ...grpc.CallOption) (*pb.TxnResponse, error) {
	return c.below.Txn(ctx, r)
}

func (c keysClient) Compact(ctx context.Context, r *pb.CompactionRequest, _ ...grpc.CallOption) (*pb.CompactionResponse, error) {
	return c.below.Compact(ctx, r)
}

// RangeStream is asked for by GetStream alone, which leasing refuses itself and
// the resolver has no use for.
func (c keysClient) RangeStream(context.Context, *pb.RangeRequest, ...grpc.CallOption) (grpc.ServerStreamingClient[pb.RangeStreamResponse], error) {
	return nil, errors.New("grpcproxy: no streams within the process")
}

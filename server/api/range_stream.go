package api

import (
	"context"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/holdfast-db/holdfast/mvcc"
)

// firstChunkKeys is the size of a stream's first chunk in keys, before anything
// is known of how large they are; later ones are cut by bytes.
const firstChunkKeys = 10

// What a stream can't do, in etcd's words, which lack the usual prefix.
var (
	errStreamSorted   = status.Error(codes.Unimplemented, "RangeStream does not support custom sort orders")
	errStreamFiltered = status.Error(codes.Unimplemented, "RangeStream does not support revision filters")
)

// RangeStreamConn takes the chunks of a streamed range.
type RangeStreamConn interface {
	Context() context.Context
	Send(*pb.RangeStreamResponse) error
}

// RangeStream answers a range in chunks, all of one revision, in key order.
// Header, more and count come with the last one, so that concatenating the
// chunks gives what Range would have answered.
func (s *Service) RangeStream(r *pb.RangeRequest, conn RangeStreamConn) error {
	if err := checkRangeStream(r); err != nil {
		return err
	}
	view, err := s.rangeView(conn.Context(), r)
	if err != nil {
		return err
	}
	if err := s.makeRoom(conn.Context(), view, r); err != nil {
		return err
	}
	res, err := s.readRange(view, r)
	if err != nil {
		return ToGRPC(err)
	}
	for rest, first := res.KVs, true; ; first = false {
		n := chunkLen(rest, first, s.limits.RequestBytesMax)
		chunk := &pb.RangeResponse{Kvs: kvsPB(rest[:n])}
		rest = rest[n:]
		if len(rest) == 0 {
			chunk.Header, chunk.More, chunk.Count = s.header(res.Revision), res.More, res.Count
		}
		if err := conn.Send(&pb.RangeStreamResponse{RangeResponse: chunk}); err != nil {
			return err
		}
		if len(rest) == 0 {
			return nil
		}
	}
}

// checkRangeStream admits what keys can leave in the order they are found in. A
// sort target without an order passes, as in etcd; it is answered as Range
// answers it.
func checkRangeStream(r *pb.RangeRequest) error {
	if err := checkRange(r); err != nil {
		return err
	}
	byKey := r.SortTarget == pb.RangeRequest_KEY && r.SortOrder == pb.RangeRequest_ASCEND
	if r.SortOrder != pb.RangeRequest_NONE && !byKey {
		return errStreamSorted
	}
	if r.MinModRevision != 0 || r.MaxModRevision != 0 || r.MinCreateRevision != 0 || r.MaxCreateRevision != 0 {
		return errStreamFiltered
	}
	return nil
}

// chunkLen is how many keys fit into one chunk, at least one if there are any.
func chunkLen(kvs []mvcc.KeyValue, first bool, bytesMax int) int {
	n, size := 0, 0
	for ; n < len(kvs); n++ {
		size += sizeMessage(kvSize(&kvs[n]))
		if n > 0 && size > bytesMax || first && n == firstChunkKeys {
			break
		}
	}
	return n
}

package differential

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"slices"
	"strings"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
)

// stepTimeout bounds one step on one server; a step that takes longer is a difference by itself.
const stepTimeout = 10 * time.Second

// target is one of the two servers.
type target struct {
	name    string
	url     string
	conn    *grpc.ClientConn
	member  uint64 // its id
	peerURL string // its own
	learner uint64 // the member that was added last, 0 for none
	streams map[int]*watchLog
	tokens  map[string]string // of users who have logged in
	cancels map[string]int    // of watchers on streams that were closed, by reason
}

// outcome is what a step got back: a message, an error, or plain text; over HTTP text tells, besides, of its form.
type outcome struct {
	message proto.Message
	err     error
	text    string
}

func (o outcome) String() string {
	switch {
	case o.err != nil:
		st := status.Convert(o.err)
		return strings.TrimSpace(fmt.Sprintf("error %s: %s %s", st.Code(), st.Message(), o.text))
	case o.message != nil:
		return strings.TrimSpace(show(o.message) + " " + o.text)
	}
	return o.text
}

func dial(ctx context.Context, name, url string) (*target, error) {
	endpoint := strings.TrimPrefix(url, "http://")
	conn, err := grpc.NewClient(endpoint, grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(math.MaxInt32), grpc.MaxCallSendMsgSize(math.MaxInt32)))
	if err != nil {
		return nil, err
	}
	r, err := pb.NewClusterClient(conn).MemberList(ctx, &pb.MemberListRequest{})
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return &target{name: name, url: url, conn: conn, member: r.Header.MemberId, peerURL: r.Members[0].PeerURLs[0], streams: map[int]*watchLog{}, tokens: map[string]string{}, cancels: map[string]int{}}, nil
}

func (t *target) close() error {
	for _, w := range t.streams {
		w.cancel()
	}
	return t.conn.Close()
}

func (t *target) call(ctx context.Context, s Call) outcome {
	ctx, cancel := context.WithTimeout(ctx, stepTimeout)
	defer cancel()
	m := methods[s.Method]
	reply := m.reply()
	if err := t.conn.Invoke(ctx, m.path, t.own(s.Request), reply); err != nil {
		return outcome{err: err}
	}
	t.learn(reply)
	return outcome{message: reply}
}

// rangeStream joins the chunks. That header, more and count stand in the last one only is part of the contract, and so
// is checked here.
func (t *target) rangeStream(ctx context.Context, r *pb.RangeRequest) outcome {
	ctx, cancel := context.WithTimeout(ctx, stepTimeout)
	defer cancel()
	stream, err := pb.NewKVClient(t.conn).RangeStream(ctx, r)
	if err != nil {
		return outcome{err: err}
	}
	joined := &pb.RangeResponse{}
	for {
		chunk, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return outcome{message: joined}
		}
		if err != nil {
			return outcome{err: err}
		}
		if joined.Header != nil {
			return outcome{text: "a chunk after the one with the header"}
		}
		r := chunk.RangeResponse
		if r.Header == nil && (r.More || r.Count != 0) {
			return outcome{text: "more or count without the header"}
		}
		r.Kvs = append(joined.Kvs, r.Kvs...)
		joined = r
	}
}

func (t *target) keepAlive(ctx context.Context, lease int64) outcome {
	ctx, cancel := context.WithTimeout(ctx, stepTimeout)
	defer cancel()
	stream, err := pb.NewLeaseClient(t.conn).LeaseKeepAlive(ctx)
	if err != nil {
		return outcome{err: err}
	}
	if err := stream.Send(&pb.LeaseKeepAliveRequest{ID: lease}); err != nil {
		return outcome{err: err}
	}
	reply, err := stream.Recv()
	if err != nil {
		return outcome{err: err}
	}
	if err := stream.CloseSend(); err != nil {
		return outcome{err: err}
	}
	if _, err := stream.Recv(); !errors.Is(err, io.EOF) {
		return outcome{text: fmt.Sprintf("the stream ended with %v", err)}
	}
	return outcome{message: reply}
}

func (t *target) http(ctx context.Context, s HTTP) outcome {
	ctx, cancel := context.WithTimeout(ctx, stepTimeout)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, s.Method, t.url+s.Path, nil)
	if err != nil {
		return outcome{err: err}
	}
	reply, err := http.DefaultClient.Do(r)
	if err != nil {
		return outcome{err: err}
	}
	defer reply.Body.Close()
	body, err := io.ReadAll(reply.Body)
	if err != nil {
		return outcome{err: err}
	}
	// The lines of a verbose probe come in the order of a Go map from etcd.
	lines := strings.Split(string(body), "\n")
	slices.Sort(lines)
	return outcome{text: fmt.Sprintf("%d, type %q, allow %q, %q",
		reply.StatusCode, reply.Header.Get("Content-Type"), reply.Header.Get("Allow"), lines)}
}

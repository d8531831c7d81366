package differential

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"

	"github.com/holdfast-db/holdfast/server/api/v3electionpb"
)

// waitTime is how long a step waits that is to find out that nothing comes.
const waitTime = 200 * time.Millisecond

// Waiting is a request for what another one holds: it isn't answered, and what it left in the queue is gone after it.
type Waiting struct {
	Call  Call
	Queue []byte // the key that the request puts meanwhile
}

func (s Waiting) String() string { return fmt.Sprintf("waiting: %s", s.Call) }

func (s Waiting) do(ctx context.Context, t *target) outcome {
	short, cancel := context.WithTimeout(ctx, waitTime)
	defer cancel()
	o := t.call(short, s.Call)
	for begin := time.Now(); o.err != nil && time.Since(begin) < stepTimeout; time.Sleep(5 * time.Millisecond) {
		left := t.call(ctx, Call{"Range", &pb.RangeRequest{Key: s.Queue, CountOnly: true}})
		if left.err != nil {
			return left
		}
		if left.message.(*pb.RangeResponse).Count == 0 {
			return o
		}
	}
	return outcome{text: fmt.Sprintf("%v; and %q stays in the queue", o, s.Queue)}
}

// Observe reads the first that a stream tells of an election, if it does in a moment.
type Observe struct{ Request *v3electionpb.LeaderRequest }

func (s Observe) String() string { return "Observe " + show(s.Request) }

func (s Observe) do(ctx context.Context, t *target) outcome {
	ctx, cancel := context.WithTimeout(ctx, waitTime)
	defer cancel()
	stream, err := v3electionpb.NewElectionClient(t.conn).Observe(ctx, s.Request)
	if err != nil {
		return outcome{err: err}
	}
	r, err := stream.Recv()
	if err != nil {
		return outcome{err: err}
	}
	return outcome{message: r}
}

// HealthWatch reads the first that a stream tells of a service's health.
type HealthWatch struct{ Service string }

func (s HealthWatch) String() string { return "Health.Watch " + s.Service }

func (s HealthWatch) do(ctx context.Context, t *target) outcome {
	ctx, cancel := context.WithTimeout(ctx, stepTimeout)
	defer cancel()
	stream, err := grpc_health_v1.NewHealthClient(t.conn).Watch(ctx, &grpc_health_v1.HealthCheckRequest{Service: s.Service})
	if err != nil {
		return outcome{err: err}
	}
	r, err := stream.Recv()
	if err != nil {
		return outcome{err: err}
	}
	return outcome{message: r}
}

// Snapshot takes one whole. The files differ; what a client checks of the stream must not: pieces of at most 32 KiB
// that say how much is left, then the SHA-256 of all, which makes the length one that clients accept.
type Snapshot struct{}

func (Snapshot) String() string { return "Snapshot" }

func (Snapshot) do(ctx context.Context, t *target) outcome {
	ctx, cancel := context.WithTimeout(ctx, stepTimeout)
	defer cancel()
	stream, err := pb.NewMaintenanceClient(t.conn).Snapshot(ctx, &pb.SnapshotRequest{})
	if err != nil {
		return outcome{err: err}
	}
	var all []byte
	var remaining, longest int
	versions := map[string]bool{}
	exact := true
	for {
		r, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return outcome{err: err}
		}
		versions[r.Version] = true
		if n := int(r.RemainingBytes); remaining > 0 && n != 0 && n != remaining-len(r.Blob) {
			exact = false
		}
		all, remaining, longest = append(all, r.Blob...), int(r.RemainingBytes), max(longest, len(r.Blob))
	}
	size := len(all) - sha256.Size
	if size < 0 {
		return outcome{err: status.Error(codes.DataLoss, "no trailer")}
	}
	sum := sha256.Sum256(all[:size])
	return outcome{text: fmt.Sprintf("versions %v, multiple of 512 %t, sum right %t, remaining exact %t, pieces of at most 32 KiB %t",
		versions, size%512 == 0, bytes.Equal(sum[:], all[size:]), exact, longest <= 32<<10)}
}

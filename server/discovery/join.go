package discovery

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// Waits between tries of what failed: doubled each time.
const (
	pauseMin = time.Second
	pauseMax = 30 * time.Second
)

// joiner is one member on its way into a new cluster.
type joiner struct {
	config Config
	self   Self
	log    *slog.Logger
	client *clientv3.Client
	known  map[string]bool // ids that the log has told of
}

// Join registers a member with the service and waits for the others, until ctx
// ends: for ever, if they don't come or the service can't be reached. It returns
// what --initial-cluster would be. Errors wrap ErrNoSize, ErrBadSize, ErrFull,
// ErrSameName, the context's, or what the service refused.
func Join(ctx context.Context, config Config, self Self, log *slog.Logger) (cluster string, err error) {
	j := &joiner{config: config, self: self, known: map[string]bool{},
		log: log.With("discovery-token", config.Token, "discovery-endpoints", config.Endpoints)}
	if err := j.retry(ctx, "connect", func(context.Context) (err error) {
		j.client, err = config.dial()
		return err
	}); err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, ignoreCanceled(j.client.Close())) }()
	r, err := j.join(ctx)
	if err != nil {
		return "", err
	}
	if cluster, err = r.cluster(); err != nil {
		return "", err
	}
	j.log.Info("discovery joined cluster successfully", "cluster", cluster)
	return cluster, nil
}

// join looks, and does what is missing, until nothing is.
func (j *joiner) join(ctx context.Context) (*registry, error) {
	for {
		r, err := j.look(ctx)
		if err != nil {
			return nil, err
		}
		own := r.place(j.self.id())
		switch {
		case own == nil && r.complete():
			return nil, fmt.Errorf("%w: %d members are there", ErrFull, r.size)
		case own == nil || own.info != j.self.info():
			err = j.register(ctx)
		case r.complete():
			return r, nil
		default:
			err = j.wait(ctx, r)
		}
		if err != nil {
			return nil, err
		}
	}
}

// look reads the size and the members, at one revision.
func (j *joiner) look(ctx context.Context) (r *registry, err error) {
	token := j.config.Token
	err = j.retry(ctx, "cluster status check", func(ctx context.Context) error {
		resp, err := j.client.Txn(ctx).Then(
			clientv3.OpGet(sizeKey(token)),
			clientv3.OpGet(membersPrefix(token), clientv3.WithPrefix(), clientv3.WithSort(clientv3.SortByCreateRevision, clientv3.SortAscend)),
		).Commit()
		if err != nil {
			return err
		}
		size, members := resp.Responses[0].GetResponseRange(), resp.Responses[1].GetResponseRange()
		members.Header = resp.Header // those inside a transaction have no cluster
		r, err = read(token, (*clientv3.GetResponse)(size), (*clientv3.GetResponse)(members))
		return err
	})
	if err == nil {
		j.tell(r)
	}
	return r, err
}

// tell logs members that are new.
func (j *joiner) tell(r *registry) {
	for _, e := range r.useless {
		if !j.known[e.id] {
			j.log.Warn("invalid peer info returned from discovery service", "memberKey", memberKey(j.config.Token, e.id), "memberInfo", e.info)
		}
		j.known[e.id] = true
	}
	for _, e := range r.members() {
		if !j.known[e.id] {
			j.log.Info("found peer from discovery service", "memberKey", memberKey(j.config.Token, e.id), "memberInfo", e.info)
		}
		j.known[e.id] = true
	}
}

func (j *joiner) register(ctx context.Context) error {
	key := memberKey(j.config.Token, j.self.id())
	err := j.retry(ctx, "register member", func(ctx context.Context) error {
		_, err := j.client.Put(ctx, key, j.self.info())
		return err
	})
	if err == nil {
		j.log.Info("register member itself successfully", "memberKey", key, "memberInfo", j.self.info())
	}
	return err
}

// wait returns when something may have changed since r: an event, or a watch that
// ended, whatever ended it.
func (j *joiner) wait(ctx context.Context, r *registry) error {
	j.log.Info("waiting for peers from discovery service", "clusterSize", r.size, "found-peers", len(r.entries))
	watching, cancel := context.WithCancel(clientv3.WithRequireLeader(ctx))
	defer cancel()
	resp, open := <-j.client.Watch(watching, membersPrefix(j.config.Token), clientv3.WithPrefix(), clientv3.WithRev(r.revision+1))
	if err := ctx.Err(); err != nil {
		return err
	}
	if !open || resp.Err() != nil {
		return pause(ctx, pauseMin)
	}
	return nil
}

// retry does something until it succeeds, or fails for good.
func (j *joiner) retry(ctx context.Context, what string, do func(context.Context) error) error {
	for wait := pauseMin; ; wait = min(2*wait, pauseMax) {
		err := j.once(ctx, do)
		if err == nil || final(err) {
			return err
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		j.log.Warn("retry connecting to discovery service", "reason", what, "backoff", wait.String(), "error", err.Error())
		if err := pause(ctx, wait); err != nil {
			return err
		}
	}
}

func (j *joiner) once(ctx context.Context, do func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, j.config.RequestTimeout)
	defer cancel()
	return do(ctx)
}

// final errors don't go away by asking again: what the registry says, files of
// certificates that can't be read, and refusals of the service.
func final(err error) bool {
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		return false
	}
	var known interface{ Code() codes.Code } // one of etcd's own errors
	code := codes.OK
	if errors.As(err, &known) {
		code = known.Code()
	} else if s, ok := status.FromError(err); ok {
		code = s.Code()
	}
	switch code {
	case codes.Unavailable, codes.DeadlineExceeded, codes.Canceled, codes.ResourceExhausted, codes.Internal, codes.Aborted,
		codes.Unknown: // etcd's "too many requests"
		return false
	}
	return true
}

func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

func ignoreCanceled(err error) error {
	if errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

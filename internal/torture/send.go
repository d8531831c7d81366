package torture

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"go.etcd.io/etcd/api/v3/mvccpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"

	lin "github.com/holdfast-db/holdfast/linearizability"
)

// send performs a request and translates what came back.
func send(ctx context.Context, c *clientv3.Client, r lin.Request) lin.Response {
	if r.Kind == lin.Txn {
		return sendTxn(ctx, c, r)
	}
	reply, err := c.Do(ctx, operation(r))
	if err != nil {
		return failure(err)
	}
	out := lin.Response{Outcome: lin.OK}
	switch r.Kind {
	case lin.Put:
		out.Revision = reply.Put().Header.Revision
	case lin.Range:
		out = rangeResponse(reply.Get().Kvs, reply.Get().Count, reply.Get().More)
		out.Revision = reply.Get().Header.Revision
	case lin.Delete:
		out.Revision, out.Deleted = reply.Del().Header.Revision, reply.Del().Deleted
	}
	return out
}

func sendTxn(ctx context.Context, c *clientv3.Client, r lin.Request) lin.Response {
	reply, err := c.Txn(ctx).If(compares(r.Compares)...).Then(operations(r.Then)...).Else(operations(r.Else)...).Commit()
	if err != nil {
		return failure(err)
	}
	out := lin.Response{Outcome: lin.OK, Revision: reply.Header.Revision, Succeeded: reply.Succeeded}
	for _, inner := range reply.Responses {
		one := lin.Response{Outcome: lin.OK}
		if get := inner.GetResponseRange(); get != nil {
			one = rangeResponse(get.Kvs, get.Count, get.More)
		}
		if del := inner.GetResponseDeleteRange(); del != nil {
			one.Deleted = del.Deleted
		}
		out.Responses = append(out.Responses, one)
	}
	return out
}

// noConnection begins what gRPC says of a request that it had no connection for; what was lost on one reads otherwise.
const noConnection = "connection error: desc ="

// refused are errors that prove that nothing happened. A token that grew old is found before a command is proposed, or
// when it is applied, in its place.
var refused = []error{rpctypes.ErrTooManyRequests, rpctypes.ErrNoSpace, rpctypes.ErrInvalidAuthToken, rpctypes.ErrAuthOldRevision,
	rpctypes.ErrPermissionDenied, rpctypes.ErrUserEmpty, rpctypes.ErrAuthFailed}

// failure sorts errors into those that prove that nothing happened and the rest. A request that never left because
// nobody listened is one of the first kind: the client sends a write once, and dialling came before.
func failure(err error) lin.Response {
	out := lin.Response{Outcome: lin.Ambiguous, Error: err.Error()}
	if slices.ContainsFunc(refused, func(one error) bool { return errors.Is(err, one) }) || strings.Contains(err.Error(), noConnection) {
		out.Outcome = lin.Failed
	}
	return out
}

func operations(rs []lin.Request) (ops []clientv3.Op) {
	for _, r := range rs {
		ops = append(ops, operation(r))
	}
	return ops
}

func operation(r lin.Request) clientv3.Op {
	switch r.Kind {
	case lin.Put:
		return clientv3.OpPut(r.Key, r.Value)
	case lin.Range:
		return clientv3.OpGet(r.Key, withEnd(r.End)...)
	case lin.Delete:
		return clientv3.OpDelete(r.Key, withEnd(r.End)...)
	}
	panic(fmt.Sprintf("torture: writers do not draw %v", r.Kind))
}

func withEnd(end string) []clientv3.OpOption {
	if end == "" {
		return nil
	}
	return []clientv3.OpOption{clientv3.WithRange(end)}
}

func compares(cs []lin.Compare) (out []clientv3.Cmp) {
	for _, c := range cs {
		if c.Target != lin.TargetMod || c.Relation != lin.Equal {
			panic(fmt.Sprintf("torture: writers do not draw compares of %v %v", c.Target, c.Relation))
		}
		out = append(out, clientv3.Compare(clientv3.ModRevision(c.Key), "=", c.Number))
	}
	return out
}

func rangeResponse(kvs []*mvccpb.KeyValue, count int64, more bool) lin.Response {
	out := lin.Response{Outcome: lin.OK, Count: count, More: more}
	for _, kv := range kvs {
		out.KVs = append(out.KVs, *keyValue(kv))
	}
	return out
}

// keyValue translates; nil stays nil.
func keyValue(kv *mvccpb.KeyValue) *lin.KeyValue {
	if kv == nil {
		return nil
	}
	return &lin.KeyValue{Key: string(kv.Key), Value: string(kv.Value), Create: kv.CreateRevision, Mod: kv.ModRevision, Version: kv.Version, Lease: kv.Lease}
}

package differential

import (
	"slices"
	"testing"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// TestCoverage: what is asked is counted where it belongs, once a request, and what is not asked is missed.
func TestCoverage(t *testing.T) {
	c := NewCoverage()
	nested := &pb.TxnRequest{
		Compare: []*pb.Compare{{Key: []byte("a")}},
		Success: []*pb.RequestOp{
			{Request: &pb.RequestOp_RequestRange{RequestRange: &pb.RangeRequest{Limit: 1}}},
			{Request: &pb.RequestOp_RequestTxn{RequestTxn: &pb.TxnRequest{Success: []*pb.RequestOp{
				{Request: &pb.RequestOp_RequestRange{RequestRange: &pb.RangeRequest{Limit: 2, SortOrder: 9}}}}}}},
		},
	}
	refused := outcome{err: status.Error(codes.NotFound, "gone")}
	c.Note(As{"ann", JSON{Call: Call{"Txn", nested}}}, refused)
	c.Note(Call{"Range", &pb.RangeRequest{SortOrder: pb.RangeRequest_DESCEND}}, outcome{})
	for name, rows := range map[string]map[string]int{
		"KV.Txn": c.RPCs, "KV.Range": c.RPCs, "POST /v3/kv/txn": c.RPCs, "NotFound: gone": c.Errors,
		"KV.Txn.compare.key": c.Fields, "KV.Txn.compare.result=EQUAL": c.Fields, "KV.Txn.success.request_txn": c.Fields,
		"KV.Txn.success.request_range.limit": c.Fields, "KV.Txn.success.request_range.sort_order=(unknown)": c.Fields,
		"KV.Range.sort_order=DESCEND": c.Fields, "KV.Range.sort_target=KEY": c.Fields,
	} {
		if rows[name] != 1 {
			t.Errorf("%s was counted %d times", name, rows[name])
		}
	}
	missing := c.Missing(1, []string{"NotFound: gone", "Unknown: else"})
	for _, name := range []string{"KV.Range.key: 0", "KV.Put: 0", "POST /v3/auth/enable: 0", "Auth.UserAdd.options.no_password: 0", "Unknown: else: 0", "KV.Txn.failure.request_put.lease: 0"} {
		if !slices.Contains(missing, name) {
			t.Errorf("%s isn't missed", name)
		}
	}
	for _, name := range []string{"KV.Txn: 1", "NotFound: gone: 1", "KV.Range.sort_order=DESCEND: 1"} {
		if slices.Contains(missing, name) {
			t.Errorf("%s is missed", name)
		}
	}
}

// TestEveryRPCHasAStep: what the services serve can be drawn.
func TestEveryRPCHasAStep(t *testing.T) {
	c := NewCoverage()
	total := len(c.RPCs)
	if len(c.Fields) < 200 || total < 90 {
		t.Errorf("%d RPCs and paths, %d fields: the descriptors were not read", total, len(c.Fields))
	}
	for _, s := range []Step{Login{}, Login{JSON: true}, RangeStream{}, KeepAlive{}, KeepAlive{JSON: true}, Watch{Request: &pb.WatchRequest{}}, Observe{}, HealthWatch{}, Snapshot{}} {
		c.Note(s, outcome{})
	}
	for name := range methods {
		c.Note(Call{Method: name}, outcome{})
		if methods[name].json != "" {
			c.Note(JSON{Call: Call{Method: name}}, outcome{})
		}
	}
	if len(c.RPCs) != total {
		t.Errorf("%d RPCs and paths with those of steps, %d in the descriptors", len(c.RPCs), total)
	}
	for name, n := range c.RPCs {
		if n == 0 {
			t.Errorf("no step asks %s", name)
		}
	}
}

package linearizability

import (
	"fmt"
	"strings"
)

// String prints the request as a person would type it.
func (r *Request) String() string {
	var b strings.Builder
	b.WriteString(r.Kind.String())
	switch r.Kind {
	case Put:
		fmt.Fprintf(&b, " %q=%q", r.Key, r.Value)
		flag(&b, r.Lease != 0, " lease=%x", r.Lease)
	case Range, Delete:
		fmt.Fprintf(&b, " %s", span(r.Key, r.End))
		flag(&b, r.Revision != 0, " at %d", r.Revision)
		flag(&b, r.Limit != 0, " limit %d", r.Limit)
		flag(&b, r.Serializable, " serializable")
		flag(&b, r.CountOnly, " count")
	case Txn:
		describeTxn(&b, r)
	case Compact:
		fmt.Fprintf(&b, " %d", r.Revision)
	case Revoke:
		fmt.Fprintf(&b, " %x", r.Lease)
	}
	return b.String()
}

func describeTxn(b *strings.Builder, r *Request) {
	b.WriteString(" if")
	for _, c := range r.Compares {
		fmt.Fprintf(b, " %s(%s)%v", c.Target, span(c.Key, c.End), c.Relation)
		if c.Target == TargetValue {
			fmt.Fprintf(b, "%q", c.Value)
		} else {
			fmt.Fprintf(b, "%d", c.Number)
		}
	}
	for _, branch := range []struct {
		word     string
		requests []Request
	}{{"then", r.Then}, {"else", r.Else}} {
		if len(branch.requests) > 0 {
			fmt.Fprintf(b, " %s {", branch.word)
			for i := range branch.requests {
				flag(b, i > 0, "; ")
				b.WriteString(branch.requests[i].String())
			}
			b.WriteString("}")
		}
	}
}

func flag(b *strings.Builder, on bool, format string, args ...any) {
	if on {
		fmt.Fprintf(b, format, args...)
	}
}

func span(key, end string) string {
	if end == "" {
		return fmt.Sprintf("%q", key)
	}
	return fmt.Sprintf("[%q, %q)", key, end)
}

// String prints value and revisions: "v" created@modified #version.
func (kv KeyValue) String() string {
	return fmt.Sprintf("%q=%q created %d modified %d version %d", kv.Key, kv.Value, kv.Create, kv.Mod, kv.Version)
}

// String prints the change in a few words.
func (c Change) String() string {
	if c.Deleted {
		return fmt.Sprintf("delete %q at %d", c.KV.Key, c.KV.Mod)
	}
	return "put " + c.KV.String()
}

// Describe prints what came back for the request.
func (r *Response) Describe(request *Request) string {
	switch r.Outcome {
	case Ambiguous:
		return "ambiguous " + r.Error
	case Failed:
		return "failed " + r.Error
	}
	var b strings.Builder
	describeResult(&b, request.Kind, r)
	fmt.Fprintf(&b, "revision %d", r.Revision)
	return b.String()
}

const describedKVsMax = 8

func describeResult(b *strings.Builder, kind Kind, r *Response) {
	switch kind {
	case Range:
		fmt.Fprintf(b, "%d of %d keys", len(r.KVs), r.Count)
		for i, kv := range r.KVs {
			if i == describedKVsMax {
				b.WriteString(" …")
				break
			}
			fmt.Fprintf(b, " {%v}", kv)
		}
		b.WriteString(", ")
	case Delete:
		fmt.Fprintf(b, "%d deleted, ", r.Deleted)
	case Txn:
		fmt.Fprintf(b, "succeeded %v, ", r.Succeeded)
	}
	for _, kv := range r.Prev {
		fmt.Fprintf(b, "before {%v}, ", kv)
	}
}

// String prints the operation with its times.
func (op *Operation) String() string {
	returned := fmt.Sprint(op.Return)
	if op.Return == Never || op.Response.Outcome == Ambiguous {
		returned = "∞"
	}
	return fmt.Sprintf("client %d [%d, %s] %s → %s", op.Client, op.Call, returned, op.Request.String(), op.Response.Describe(&op.Request))
}

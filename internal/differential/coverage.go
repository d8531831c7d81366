package differential

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"google.golang.org/grpc/health/grpc_health_v1"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/holdfast-db/holdfast/server/api/v3electionpb"
	"github.com/holdfast-db/holdfast/server/api/v3lockpb"
)

// Coverage counts what was asked and what was refused, so that a long run can tell what it left out. All that may be
// asked stands in it from the start, read from the services' descriptors: every RPC, every JSON path, every field of
// every request, every value of every enumeration.
type Coverage struct {
	Requests int
	RPCs     map[string]int // "KV.Range", "POST /v3/kv/range"
	Fields   map[string]int // "KV.Range.limit", "KV.Range.sort_order=ASCEND": requests in which it is set
	Errors   map[string]int // by code and text, as etcd gave them; reasons of canceled watchers, too
}

// NewCoverage returns one in which all is still to do.
func NewCoverage() *Coverage {
	c := &Coverage{RPCs: map[string]int{}, Fields: map[string]int{}, Errors: map[string]int{}}
	for _, file := range []protoreflect.FileDescriptor{pb.File_rpc_proto, v3lockpb.File_v3lock_proto,
		v3electionpb.File_v3election_proto, grpc_health_v1.File_grpc_health_v1_health_proto} {
		for i := range file.Services().Len() {
			service := file.Services().Get(i)
			for j := range service.Methods().Len() {
				m := service.Methods().Get(j)
				name := fmt.Sprintf("%s.%s", service.Name(), m.Name())
				c.RPCs[name] = 0
				c.expect(name, m.Input(), nil)
			}
		}
	}
	for _, m := range methods {
		if m.json != "" {
			c.RPCs["POST "+m.json] = 0
		}
	}
	c.RPCs["POST "+authenticatePath], c.RPCs["POST "+keepAlivePath] = 0, 0
	return c
}

// jsonPath is that of a step through the gateway, "" for others.
func jsonPath(s Step) string {
	switch s := s.(type) {
	case JSON:
		return methods[s.Call.Method].json
	case Login:
		if s.JSON {
			return authenticatePath
		}
	case KeepAlive:
		if s.JSON {
			return keepAlivePath
		}
	}
	return ""
}

// expect enters the fields below a path. A message inside itself, a transaction that is, shares its fields' rows.
func (c *Coverage) expect(path string, m protoreflect.MessageDescriptor, inside []protoreflect.FullName) {
	inside = append(inside, m.FullName())
	for i := range m.Fields().Len() {
		f := m.Fields().Get(i)
		name := path + "." + string(f.Name())
		switch {
		case f.Message() != nil && slices.Contains(inside, f.Message().FullName()):
			c.Fields[name] = 0
		case f.Message() != nil:
			c.Fields[name] = 0
			c.expect(name, f.Message(), inside)
		case f.Enum() != nil:
			for j := range f.Enum().Values().Len() {
				c.Fields[name+"="+string(f.Enum().Values().Get(j).Name())] = 0
			}
		default:
			c.Fields[name] = 0
		}
	}
}

// rpcName is that of a full method name: /etcdserverpb.KV/Range is KV.Range.
func rpcName(path string) string {
	path = path[strings.LastIndex(path[:strings.LastIndex(path, "/")], ".")+1:]
	return strings.Replace(path, "/", ".", 1)
}

// Note counts a step and what etcd said to it.
func (c *Coverage) Note(s Step, o outcome) {
	c.Requests++
	name, request := asked(s)
	c.RPCs[name]++
	if as, ok := s.(As); ok {
		s = as.Step
	}
	if path := jsonPath(s); path != "" {
		c.RPCs["POST "+path]++
	}
	if request != nil {
		once := map[string]bool{}
		touch(name, request.ProtoReflect(), nil, once)
		for field := range once {
			c.Fields[field]++
		}
	}
	if o.err != nil {
		st := status.Convert(o.err)
		c.Errors[fmt.Sprintf("%s: %s", st.Code(), st.Message())]++
	}
}

// asked is the RPC of a step and its request.
func asked(s Step) (string, proto.Message) {
	switch s := s.(type) {
	case Call:
		return rpcName(methods[s.Method].path), s.Request
	case JSON:
		return asked(s.Call)
	case As:
		return asked(s.Step)
	case Waiting:
		return asked(s.Call)
	case Login:
		return "Auth.Authenticate", s.request()
	case RangeStream:
		return "KV.RangeStream", s.Request
	case KeepAlive:
		return "Lease.LeaseKeepAlive", &pb.LeaseKeepAliveRequest{ID: s.Lease}
	case Watch:
		return "Watch.Watch", s.Request
	case Observe:
		return "Election.Observe", s.Request
	case HealthWatch:
		return "Health.Watch", &grpc_health_v1.HealthCheckRequest{Service: s.Service}
	case Snapshot:
		return "Maintenance.Snapshot", nil
	case HTTP:
		path, _, _ := strings.Cut(s.Path, "?")
		return "HTTP " + path, nil
	case Body:
		return "POST of what is no request", nil
	}
	return fmt.Sprintf("%T", s), nil
}

// touch notes the fields of a message that are set. An enumeration's first value is set where its message is there.
func touch(path string, m protoreflect.Message, inside []string, once map[string]bool) {
	inside = append(inside, string(m.Descriptor().FullName())+" "+path)
	for i := range m.Descriptor().Fields().Len() {
		f := m.Descriptor().Fields().Get(i)
		name := path + "." + string(f.Name())
		switch {
		case f.Enum() != nil:
			touchEnum(name, f, m.Get(f), once)
		case !m.Has(f):
		case f.Message() == nil:
			once[name] = true
		case f.IsList():
			once[name] = true
			for j := range m.Get(f).List().Len() {
				touch(sharedPath(name, f, inside), m.Get(f).List().Get(j).Message(), inside, once)
			}
		default:
			once[name] = true
			touch(sharedPath(name, f, inside), m.Get(f).Message(), inside, once)
		}
	}
}

// sharedPath is where the fields of a message inside itself are counted: with the outer one's.
func sharedPath(name string, f protoreflect.FieldDescriptor, inside []string) string {
	for _, outer := range inside {
		if message, path, _ := strings.Cut(outer, " "); message == string(f.Message().FullName()) {
			return path
		}
	}
	return name
}

func touchEnum(name string, f protoreflect.FieldDescriptor, v protoreflect.Value, once map[string]bool) {
	numbers := []protoreflect.EnumNumber{}
	if f.IsList() {
		for i := range v.List().Len() {
			numbers = append(numbers, v.List().Get(i).Enum())
		}
	} else {
		numbers = append(numbers, v.Enum())
	}
	for _, n := range numbers {
		if value := f.Enum().Values().ByNumber(n); value != nil {
			once[name+"="+string(value.Name())] = true
		} else {
			once[name+"="+unknown] = true
		}
	}
}

// unknown is a value that an enumeration doesn't have.
const unknown = "(unknown)"

// NoteCancels counts why watchers were canceled.
func (c *Coverage) NoteCancels(reasons map[string]int) {
	for reason, n := range reasons {
		c.Errors["watch canceled: "+reason] += n
	}
}

// Print writes the tables, the rarest first.
func (c *Coverage) Print(w io.Writer) {
	fmt.Fprintf(w, "%d requests\n", c.Requests)
	for _, table := range []struct {
		title string
		rows  map[string]int
	}{{"RPC or path", c.RPCs}, {"field", c.Fields}, {"error", c.Errors}} {
		fmt.Fprintf(w, "\n%8s  %s\n", "requests", table.title)
		for _, name := range slices.SortedFunc(maps.Keys(table.rows), func(a, b string) int {
			return cmp.Or(cmp.Compare(table.rows[a], table.rows[b]), cmp.Compare(a, b))
		}) {
			fmt.Fprintf(w, "%8d  %s\n", table.rows[name], name)
		}
	}
}

// Missing lists what of the RPCs, fields and given errors was met less often than so.
func (c *Coverage) Missing(least int, errors []string) (out []string) {
	errorRows := map[string]int{}
	for _, e := range errors {
		errorRows[e] = c.Errors[e]
	}
	for _, rows := range []map[string]int{c.RPCs, c.Fields, errorRows} {
		for _, name := range slices.Sorted(maps.Keys(rows)) {
			if rows[name] < least && !strings.Contains(name, unknown) {
				out = append(out, fmt.Sprintf("%s: %d", name, rows[name]))
			}
		}
	}
	return out
}

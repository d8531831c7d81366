package server

import (
	"net/http"
	"strings"

	"github.com/holdfast-db/holdfast/server/api"
	"github.com/holdfast-db/holdfast/server/gateway"
)

// webHandler answers everything that clients ask over HTTP: the JSON gateway,
// probes, metrics and what is there for debugging.
func (b *backend) webHandler(svc *api.Service, guard *api.Guard) http.Handler {
	mux := http.NewServeMux()
	b.handleProbes(mux)
	mux.HandleFunc("/version", serveVersion)
	b.handleDebug(mux)
	if b.settings.EnableGateway {
		mux.Handle("/v3/", b.newGateway(svc, guard))
	}
	return b.settings.newAccess(mux)
}

// newGateway joins grpc-gateway and the service in this process. The
// interceptors are those of the gRPC server, so that the same permissions hold
// and the same counters count.
func (b *backend) newGateway(svc *api.Service, guard *api.Guard) http.Handler {
	conn := &gateway.Conn{
		Unary:           b.unary(guard),
		Stream:          b.stream(guard),
		Codec:           api.NewCodec(),
		RequestBytesMax: b.settings.requestBytesMax() + grpcOverheadBytes,
	}
	api.Register(conn, svc)
	return gateway.New(conn)
}

// access is asked before any handler, as etcd does it: old paths, host names
// against DNS rebinding, and which pages a browser may let ask.
type access struct {
	next    http.Handler
	hosts   map[string]bool // nil: any
	origins map[string]bool // nil: any
	alpha   bool            // /v3alpha/ is there
}

func (s *settings) newAccess(next http.Handler) *access {
	return &access{next: next, hosts: whitelist(s.HostWhitelist), origins: whitelist(s.CORS), alpha: s.EnableV3Alpha}
}

// whitelist reads a list; "" and "*" stand for everything.
func whitelist(list string) map[string]bool {
	allowed := map[string]bool{}
	for item := range strings.SplitSeq(list, ",") {
		if item = strings.TrimSpace(item); item == "*" || list == "" {
			return nil
		}
		allowed[item] = true
	}
	return allowed
}

// ServeHTTP implements http.Handler.
func (a *access) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if rest, old := strings.CutPrefix(r.URL.Path, "/v3beta/"); old {
		r.URL.Path = "/v3/" + rest
	} else if rest, old := strings.CutPrefix(r.URL.Path, "/v3alpha/"); old && a.alpha {
		r.URL.Path = "/v3/" + rest
	}
	// Over TLS the certificate has proved the name already.
	if host := hostOf(r); r.TLS == nil && a.hosts != nil && !a.hosts[host] {
		http.Error(w, rebinding(host), http.StatusMisdirectedRequest)
		return
	}
	a.allowOrigin(w.Header(), r.Header.Get("Origin"))
	if r.Method == http.MethodOptions {
		w.WriteHeader(http.StatusOK)
		return
	}
	a.next.ServeHTTP(w, r)
}

func (a *access) allowOrigin(h http.Header, origin string) {
	switch {
	case a.origins == nil:
		origin = "*"
	case !a.origins[origin]:
		return
	}
	h.Add("Access-Control-Allow-Methods", "POST, GET, OPTIONS, PUT, DELETE")
	h.Add("Access-Control-Allow-Origin", origin)
	h.Add("Access-Control-Allow-Headers", "accept, content-type, authorization")
}

// hostOf is the name that a request was sent to, without the port.
func hostOf(r *http.Request) string {
	if i := strings.LastIndexByte(r.Host, ':'); i >= 0 && !strings.HasSuffix(r.Host, "]") {
		return strings.Trim(r.Host[:i], "[]")
	}
	return r.Host
}

// rebinding explains a refusal.
func rebinding(host string) string {
	return "etcd received your request, but the Host header was unrecognized.\n\n" +
		"The name " + host + " is not in --host-whitelist, which protects members without TLS from\n" +
		"pages that resolve their own name to this address (DNS rebinding, CVE-2018-5702).\n" +
		"Add the name to --host-whitelist, or serve clients over TLS.\n"
}

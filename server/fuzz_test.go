package server

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/holdfast-db/holdfast/internal/fuzz"
)

// FuzzURLs: a list that is taken is taken again as it is written out, and both ways
// to read one agree.
func FuzzURLs(f *testing.F) {
	for _, list := range []string{"http://localhost:2379", "https://[::1]:2380,http://127.0.0.1:1/", "unix:///run/p.sock,unixs://p:1", "",
		"http://a:1,", "ftp://a:1", "http://a", "http://a:1/x", "http://[fe80::1%25lo]:1", "http://a:1?x#y", "http://u:p@a:1", "http://a:%31"} {
		f.Add(list)
	}
	f.Fuzz(func(t *testing.T, list string) {
		urls, err := parseURLs("flag", list)
		if checked := CheckURLs(list); (checked == nil) != (err == nil) {
			t.Fatalf("%q: %v and %v", list, err, checked)
		}
		if err != nil {
			return
		}
		_ = checkBind("flag", urls)
		written := strings.Join(urlStrings(urls), ",")
		again, err := parseURLs("flag", written)
		if err != nil || !slices.Equal(urlStrings(again), urlStrings(urls)) {
			t.Fatalf("%q is written %q, which is %q, %v", list, written, urlStrings(again), err)
		}
	})
}

// FuzzInitialCluster: members are those of the list, each URL one's.
func FuzzInitialCluster(f *testing.F) {
	for _, list := range []string{"default=http://localhost:2380", "a=http://a:1,b=http://b:1,a=http://a:2", "a=http://a:1,b=http://a:1",
		"a", "=http://a:1", "a=", "a=http://a:1,", " a = http://a:1", "a=http://a:1,a=http://a:1", "a==http://a:1"} {
		f.Add(list)
	}
	f.Fuzz(func(t *testing.T, list string) {
		members, err := parseCluster(list)
		if err != nil {
			return
		}
		owner := map[string]string{}
		var written []string
		for name, urls := range members {
			for _, u := range urls {
				if other, taken := owner[u]; taken && other != name || name == "" || !slices.IsSorted(urls) {
					t.Fatalf("%q: %q of %q and %q", list, u, name, other)
				}
				owner[u] = name
				written = append(written, name+"="+u)
			}
		}
		again, err := parseCluster(strings.Join(written, ","))
		if err != nil || fmt.Sprint(again) != fmt.Sprint(members) {
			t.Fatalf("%q became %v, %v", list, again, err)
		}
	})
}

// FuzzReadHash: a peer's answer is hashes or a reason.
func FuzzReadHash(f *testing.F) {
	f.Add(200, []byte(`{"header":{"revision":9},"hash":1,"compact_revision":-1,"hash_revision":8}`))
	f.Add(200, []byte(`{"hash":"x"}`))
	f.Add(200, []byte(`null`))
	f.Add(400, []byte("etcdserver: mvcc: required revision has been compacted\n"))
	f.Add(412, []byte("cluster ID mismatch\n"))
	f.Fuzz(func(t *testing.T, status int, body []byte) {
		if status < 200 || status > 999 {
			return
		}
		w := httptest.NewRecorder()
		w.WriteHeader(status)
		_, _ = w.Write(body)
		answer, err := readHash(w.Result())
		if err == nil && (answer == nil || status != http.StatusOK) || err != nil && err.Error() == "" {
			t.Fatalf("%d %q: %v, %v", status, body, answer, err)
		}
		_ = answer.GetHeader().GetRevision() // what the caller reads next
	})
}

// FuzzHashKV: what a peer asks is answered, or refused in words.
func FuzzHashKV(f *testing.F) {
	b := newCluster(f, 1).members[0].backend
	for _, body := range []string{`{"revision":0}`, `{"revision":1}`, `{"revision":-1}`, `{"revision":"1"}`, "null", "", `{"revision":1e99}`, "[]"} {
		f.Add("", body)
	}
	f.Add("1", "{}")
	f.Fuzz(func(t *testing.T, cluster, body string) {
		r := httptest.NewRequest(http.MethodGet, hashKVPath, strings.NewReader(body))
		r.Header[clusterIDHeader] = []string{cluster}
		w := httptest.NewRecorder()
		b.serveHashKV(w, r)
		if w.Code != http.StatusOK && w.Code != http.StatusBadRequest && w.Code != http.StatusPreconditionFailed || w.Body.Len() == 0 {
			t.Fatalf("%d %q", w.Code, w.Body)
		}
		if w.Code == http.StatusOK {
			if answer, err := readHash(w.Result()); err != nil || answer.Hash == 0 {
				t.Fatalf("%v, %v", answer, err)
			}
		}
	})
}

// FuzzClientPort: whatever somebody says on the client port and then hangs up, the
// connection ends, and the member goes on. (It goes on if the next input is
// answered.)
func FuzzClientPort(f *testing.F) {
	c := newCluster(f, 1)
	address := strings.TrimPrefix(c.configs[0].ListenClientURLs, "http://")
	for _, said := range clientSays() {
		f.Add(said)
	}
	f.Add(fuzz.Bytes(1, 100))
	f.Fuzz(func(t *testing.T, said []byte) {
		conn, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
		_, _ = conn.Write(said) // it may be closed early
		_ = conn.(*net.TCPConn).CloseWrite()
		if _, err := io.Copy(io.Discard, conn); err != nil && strings.Contains(err.Error(), "timeout") {
			t.Fatalf("the connection stays open after %q", said)
		}
	})
}

// clientSays are beginnings of HTTP/1.1, HTTP/2 and TLS.
func clientSays() [][]byte {
	put := request("/etcdserverpb.KV/Put", message(&pb.PutRequest{Key: []byte("k"), Value: []byte("v")}))
	watch := request("/etcdserverpb.Watch/Watch", message(&pb.WatchRequest{RequestUnion: &pb.WatchRequest_CreateRequest{CreateRequest: &pb.WatchCreateRequest{Key: []byte("k")}}}))
	return [][]byte{
		nil, []byte("P"), []byte(http2.ClientPreface), []byte(http2.ClientPreface[:20]), []byte("PRI * HTTP/1.1\r\n\r\n"),
		[]byte("GET /health HTTP/1.1\r\nHost: a\r\n\r\n"), []byte("GET /version HTTP/1.0\r\n\r\n"), []byte("POST /v3/kv/range HTTP/1.1\r\nHost: a\r\nContent-Length: 14\r\n\r\n{\"key\":\"aw==\"}"),
		[]byte("POST /v3/watch HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n"), []byte("OPTIONS * HTTP/1.1\r\nOrigin: x\r\n\r\n"),
		{0x16, 3, 1, 0, 5, 1, 0, 0, 1, 3}, put, watch, append(slices.Clone(put[:len(put)-4]), 0xff, 0xff, 0xff, 0xff),
		request("/nothing", nil), request("", nil), request("/etcdserverpb.KV/Put", []byte{1, 0, 0, 0, 1, 0}), request("/etcdserverpb.KV/Put", []byte{0, 0xff, 0xff, 0xff, 0xff}),
		request("/etcdserverpb.Maintenance/Snapshot", message(&pb.SnapshotRequest{})),
	}
}

// request is all that a gRPC client says for one.
func request(method string, body []byte) []byte {
	var out, header strings.Builder
	out.WriteString(http2.ClientPreface)
	framer := http2.NewFramer(&out, nil)
	_ = framer.WriteSettings()
	coder := hpack.NewEncoder(&header)
	for _, field := range [][2]string{{":method", "POST"}, {":scheme", "http"}, {":path", method}, {":authority", "x"}, {"content-type", "application/grpc"}, {"te", "trailers"}} {
		_ = coder.WriteField(hpack.HeaderField{Name: field[0], Value: field[1]})
	}
	_ = framer.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: []byte(header.String()), EndHeaders: true})
	_ = framer.WriteData(1, true, body)
	return []byte(out.String())
}

// FuzzConfig: lists of URLs, a cluster and gates that are taken make settings that
// hold together.
func FuzzConfig(f *testing.F) {
	f.Add("http://127.0.0.1:1", "http://127.0.0.1:2", "default=http://127.0.0.1:2", "LeaseCheckpoint=true")
	f.Add("http://0.0.0.0:1,unix:///s", "http://a:2,http://a:3", "default=http://a:2,default=http://a:3,b=http://b:1", "AllAlpha=true,AllBeta=false")
	f.Add("x", "", "=", "a=")
	f.Fuzz(func(t *testing.T, client, peer, cluster, gates string) {
		c := DefaultConfig()
		c.DataDir = "d"
		c.ListenClientURLs, c.AdvertiseClientURLs, c.InitialAdvertisePeerURLs, c.InitialCluster, c.FeatureGates = client, client, peer, cluster, gates
		s, err := c.resolve()
		if err != nil {
			if err.Error() == "" {
				t.Fatal("an error without words")
			}
			return
		}
		if s.member == 0 || s.cluster == 0 || len(s.advertise) == 0 {
			t.Fatalf("%+v", s)
		}
		for _, u := range s.advertise {
			if _, err := url.Parse(u.String()); err != nil {
				t.Fatal(err)
			}
		}
	})
}

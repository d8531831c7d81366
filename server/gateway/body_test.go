package gateway

import (
	"io"
	"net"
	"net/http/httptest"
	"testing"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/grpc"
)

// listener watches until its client is gone, whatever the client says.
type listener struct {
	pb.UnimplementedWatchServer
	ended, leave chan struct{}
}

func (l *listener) Watch(stream grpc.BidiStreamingServer[pb.WatchRequest, pb.WatchResponse]) error {
	defer close(l.ended)
	if err := stream.Send(&pb.WatchResponse{Created: true}); err != nil {
		return err
	}
	go func() {
		for {
			if _, err := stream.Recv(); err != nil {
				return
			}
		}
	}()
	select {
	case <-stream.Context().Done():
		return stream.Context().Err()
	case <-l.leave: // so that a failure doesn't hang
		return nil
	}
}

// TestLeftAfterNonsense: a client whose requests can't be read, and that hangs up
// then, leaves no watch behind. net/http looks for the end of a connection only once
// the body has been read to its end.
func TestLeftAfterNonsense(t *testing.T) {
	const chunked = "POST /v3/watch HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
	for name, said := range map[string]string{
		"no chunk":           chunked + "J\r\n{}\r\n",
		"no JSON":            chunked + "2\r\n{x\r\n",
		"no JSON, and more":  chunked + "2\r\n{x\r\n8\r\n        \r\n",
		"no request":         chunked + "d\r\n{\"create_requ\r\n2\r\n{}\r\n",
		"a part of the body": "POST /v3/watch HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n{}",
		"no JSON of a part":  "POST /v3/watch HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n}{",
		"all of it":          chunked + "2\r\n{}\r\n0\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			l := &listener{ended: make(chan struct{}), leave: make(chan struct{})}
			conn := newConn(&echo{})
			pb.RegisterWatchServer(conn, l)
			server := httptest.NewServer(New(conn))
			defer server.Close()
			client, err := net.Dial("tcp", server.Listener.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			if _, err := io.WriteString(client, said); err != nil {
				t.Fatal(err)
			}
			if _, err := client.Read(make([]byte, 1)); err != nil {
				t.Fatal(err)
			}
			client.Close()
			select {
			case <-l.ended:
			case <-time.After(5 * time.Second):
				t.Error("the watch goes on without its client")
				close(l.leave)
				<-l.ended
			}
		})
	}
}

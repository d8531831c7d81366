// Reload is a web server whose configuration changes while it runs.
//
//	go run ./reload --listen 127.0.0.1:7200
//	go run ./config set web '{"greeting": "hello", "maxPerSecond": 5}'
//	curl http://127.0.0.1:7200/            # greets
//	curl http://127.0.0.1:7200/config      # which version is in use, and what was wrong with the last one
//
// It reads `config/web`, then follows it with a watch. What arrives is checked before it is used: a broken change is
// refused and reported, and the last good one stays. A server that cannot reach the store goes on with what it has.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/holdfast-db/holdfast/examples/go/connect"
)

var (
	listen = flag.String("listen", "127.0.0.1:7200", "address to serve on")
	key    = flag.String("key", "config/web", "the key that holds the configuration, as JSON")
)

func main() {
	flag.Parse()
	ctx, stop := connect.Context()
	defer stop()
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "reload:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	client, err := connect.Client()
	if err != nil {
		return err
	}
	defer client.Close()
	listener, err := net.Listen("tcp", *listen)
	if err != nil {
		return err
	}
	fmt.Println("serving on", "http://"+listener.Addr().String())

	centre := newCentre(client, *key)
	go centre.run(ctx)
	server := &http.Server{Handler: routes(centre), ReadHeaderTimeout: 5 * time.Second}
	context.AfterFunc(ctx, func() { _ = server.Close() })
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

func routes(c *centre) http.Handler {
	mux := http.NewServeMux()
	limit := newLimiter()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) {
		now := c.settings() // once: a request sees one configuration from beginning to end
		if !limit.allow(now.MaxPerSecond) {
			http.Error(w, "too many requests", http.StatusTooManyRequests)
			return
		}
		fmt.Fprintln(w, now.Greeting)
	})
	mux.HandleFunc("GET /config", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(c.status())
	})
	return mux
}

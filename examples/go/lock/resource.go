package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"sync"
	"time"
)

// guarded is a resource that knows nothing of locks, but for one number: the largest token it has seen. That number is
// part of its state. A resource that keeps it in memory only forgets it with its restart, and lets a sleeper in.
type guarded struct {
	mu      sync.Mutex
	token   int64
	content string
}

// write replaces the content, unless somebody with a larger token was here before.
func (g *guarded) write(token int64, content string) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if token < g.token {
		return fmt.Errorf("token %d is out of date: token %d was here", token, g.token)
	}
	g.token, g.content = token, content
	return nil
}

func (g *guarded) read() (int64, string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.token, g.content
}

// tokenHeader carries the fencing token of a write.
const tokenHeader = "Fencing-Token"

// ServeHTTP: PUT writes, with a token; GET reads.
func (g *guarded) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch r.Method {
	case http.MethodGet:
		token, content := g.read()
		w.Header().Set(tokenHeader, strconv.FormatInt(token, 10))
		fmt.Fprint(w, content)
	case http.MethodPut:
		token, err := strconv.ParseInt(r.Header.Get(tokenHeader), 10, 64)
		if err != nil {
			http.Error(w, "a write needs a "+tokenHeader+", a number", http.StatusPreconditionRequired)
			return
		}
		content, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 1<<20))
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		if err := g.write(token, string(content)); err != nil {
			fmt.Println("refused:", string(content), "-", err)
			http.Error(w, err.Error(), http.StatusPreconditionFailed)
			return
		}
		fmt.Println("written:", string(content), "token", token)
	default:
		http.Error(w, "GET and PUT only", http.StatusMethodNotAllowed)
	}
}

func serve(ctx context.Context, address string) error {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	fmt.Println("resource on", "http://"+listener.Addr().String())
	server := &http.Server{Handler: &guarded{}, ReadHeaderTimeout: 5 * time.Second}
	context.AfterFunc(ctx, func() { _ = server.Close() })
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

package proc

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
)

// BinaryVariable names the environment variable that puts another server in Holdfast's place, a path. With etcd in
// it the tests check themselves: `HOLDFAST_BIN=bin/etcd go test ./internal/e2e`.
const BinaryVariable = "HOLDFAST_BIN"

// peers maps the tools of other projects that tests use to their packages; bench/peers/go.mod pins the versions.
var peers = map[string]string{
	"etcdutl":   "go.etcd.io/etcd/etcdutl/v3",
	"etcd":      "go.etcd.io/etcd/server/v3",
	"etcdctl":   "go.etcd.io/etcd/etcdctl/v3",
	"benchmark": "go.etcd.io/etcd/v3/tools/benchmark",
}

// Root is the folder of this module, found upwards from the working directory.
func Root() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for d := dir; ; d = filepath.Dir(d) {
		if _, err := os.Stat(filepath.Join(d, "bench", "peers", "go.mod")); err == nil {
			return d, nil
		}
		if d == filepath.Dir(d) {
			return "", fmt.Errorf("proc: %s is not inside the project", dir)
		}
	}
}

// ServerUnderTest builds Holdfast into dir, unless BinaryVariable names another server, and returns the path.
func ServerUnderTest(ctx context.Context, dir string) (string, error) {
	root, err := Root()
	if err != nil {
		return "", err
	}
	if path := os.Getenv(BinaryVariable); path != "" {
		if !filepath.IsAbs(path) {
			path = filepath.Join(root, path)
		}
		_, err := os.Stat(path)
		return path, err
	}
	path := filepath.Join(dir, "holdfast")
	return path, goBuild(ctx, root, path, "./cmd/holdfast")
}

// Peer builds etcd, etcdctl, etcdutl or etcd's benchmark tool at the version pinned in bench/peers and returns the path,
// bin/NAME in the project. The go command leaves a binary alone that is up to date, so asking again is cheap; a
// lock keeps tests that run at the same time from writing the same file.
func Peer(ctx context.Context, name string) (string, error) {
	pkg, ok := peers[name]
	if !ok {
		return "", fmt.Errorf("proc: no peer %q", name)
	}
	root, err := Root()
	if err != nil {
		return "", err
	}
	bin := filepath.Join(root, "bin")
	if err := os.MkdirAll(bin, 0o755); err != nil {
		return "", err
	}
	unlock, err := lockFile(filepath.Join(bin, ".lock"))
	if err != nil {
		return "", err
	}
	defer unlock()
	path := filepath.Join(bin, name)
	return path, goBuild(ctx, filepath.Join(root, "bench", "peers"), path, pkg)
}

func goBuild(ctx context.Context, dir, out, pkg string) error {
	cmd := exec.CommandContext(ctx, "go", "build", "-o", out, pkg)
	cmd.Dir = dir
	if text, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("proc: go build %s: %w\n%s", pkg, err, text)
	}
	return nil
}

func lockFile(path string) (unlock func(), err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
		f.Close()
		return nil, fmt.Errorf("proc: lock %s: %w", path, err)
	}
	return func() { f.Close() }, nil // closing drops the lock
}

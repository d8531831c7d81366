package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"

	"github.com/spf13/cobra"
	clientv3 "go.etcd.io/etcd/client/v3"
)

func newExport() *cobra.Command {
	var f clientFlags
	cmd := &cobra.Command{
		Use:   "export FILE",
		Short: "Save a running member's state as an etcd snapshot",
		Long: `Save what the first endpoint's member has applied as a file that "etcdutl snapshot
restore" and "holdfast import" take. Writes go on meanwhile. FILE appears only
once it is complete, checked and on disk.`,
		Example: `  holdfast export backup.db
  etcdutl snapshot status backup.db`,
		Args: cobra.ExactArgs(1),
	}
	f.bind(cmd)
	cmd.RunE = run(func(cmd *cobra.Command, args []string) error {
		c, err := f.connect()
		if err != nil {
			return err
		}
		defer c.Close()
		n, err := export(cmd.Context(), c, args[0])
		if err != nil {
			return err
		}
		fmt.Fprintf(cmd.OutOrStdout(), "saved %d bytes to %s\n", n, args[0])
		return nil
	})
	return cmd
}

// export saves a snapshot under a name of its own first.
func export(ctx context.Context, c *clientv3.Client, path string) (n int64, err error) {
	if _, err := os.Stat(path); err == nil {
		return 0, fmt.Errorf("%s exists already", path)
	}
	source, err := c.Snapshot(ctx)
	if err != nil {
		return 0, err
	}
	defer source.Close()
	part := path + ".part"
	file, err := os.OpenFile(part, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return 0, err
	}
	tail := &tailHash{hash: sha256.New()}
	n, err = io.Copy(io.MultiWriter(file, tail), source)
	if err == nil {
		err = tail.check()
	}
	if err == nil {
		err = file.Sync()
	}
	if err = errors.Join(err, file.Close()); err == nil {
		err = os.Rename(part, path)
	}
	if err != nil {
		return 0, errors.Join(err, os.Remove(part))
	}
	return n, nil
}

// tailHash hashes all but the last 32 bytes, which are the hash.
type tailHash struct {
	hash hash.Hash
	tail []byte
}

func (t *tailHash) Write(p []byte) (int, error) {
	t.tail = append(t.tail, p...)
	if n := len(t.tail) - sha256.Size; n > 0 {
		t.hash.Write(t.tail[:n])
		t.tail = append(t.tail[:0], t.tail[n:]...)
	}
	return len(p), nil
}

func (t *tailHash) check() error {
	if !bytes.Equal(t.tail, t.hash.Sum(nil)) {
		return errors.New("what came is not what its SHA-256 says")
	}
	return nil
}

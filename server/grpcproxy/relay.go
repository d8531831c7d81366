package grpcproxy

import (
	"errors"
	"io"
)

// relay passes on what comes until it ends. An end is no error.
func relay[T any](from interface{ Recv() (*T, error) }, send func(*T) error) error {
	for {
		m, err := from.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := send(m); err != nil {
			return err
		}
	}
}

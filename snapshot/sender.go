package snapshot

import (
	"errors"
	"fmt"
	"io"

	"github.com/holdfast-db/holdfast/raft"
)

// Sender reads a snapshot for a peer and checks it on the way: what has rotted on
// this disk must not look like a bad link to the other end, which would ask for
// the same bytes for ever.
type Sender struct {
	*Reader
	check  chain
	fed    int64 // bytes that the chain has seen
	failed error
}

// OpenToSend opens a snapshot for ReadAt in ascending order.
func (d *Dir) OpenToSend(last raft.EntryID) (*Sender, error) {
	r, err := d.Open(last)
	if err != nil {
		return nil, err
	}
	return &Sender{Reader: r, check: chain{name: r.name, size: r.size}}, nil
}

// ReadAt reads bytes to send. They are handed out once everything up to their end
// has proved sound, save of the block that they end in the middle of: if that one
// is damaged, the read of its end fails. A transfer that goes on somewhere has all
// before it checked again. Errors: io.EOF, a *CorruptError, or the disk's.
func (s *Sender) ReadAt(p []byte, offset int64) (int, error) {
	if offset < s.fed {
		s.check, s.fed = chain{name: s.name, size: s.size}, 0
	}
	for buffer := make([]byte, min(resumeBytes, offset-s.fed)); s.fed < offset; {
		b := buffer[:min(int64(len(buffer)), offset-s.fed)]
		if _, err := s.next(b); err != nil {
			return 0, err
		}
	}
	return s.next(p)
}

// next reads on where the chain stands.
func (s *Sender) next(p []byte) (int, error) {
	n, err := s.file.ReadAt(p, s.fed)
	switch end := errors.Is(err, io.EOF); {
	case end && s.fed+int64(n) < s.size:
		return n, s.fail(s.corrupt(s.fed+int64(n), errors.New("the file is cut short")))
	case err != nil && !end:
		return n, s.fail(fmt.Errorf("snapshot: read %s at %d: %w", s.name, s.fed, err))
	}
	s.fed += int64(n)
	if damage := s.check.feed(p[:n]); damage != nil {
		return 0, s.fail(damage)
	}
	return n, err
}

func (s *Sender) fail(err error) error {
	s.failed = err
	return err
}

// Failed is why a read failed, if one did: the file is damaged or can't be read.
func (s *Sender) Failed() error { return s.failed }

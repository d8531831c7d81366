package interchange

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"os"
)

// sectorBytes divides the size of every database; what is left over is a digest.
const sectorBytes = 512

// Unwrap copies a file that `etcdctl snapshot save` has written to a database
// without the SHA-256 behind it, and compares that. A file without one, such as
// a member's own member/snap/db, is taken only if unchecked says so: nothing
// would tell that it was copied while it was written.
func Unwrap(from, to string, unchecked bool) (err error) {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	info, err := in.Stat()
	if err != nil {
		return err
	}
	size, digested := info.Size(), info.Size()%sectorBytes == sha256.Size
	switch {
	case digested:
		size -= sha256.Size
	case size%sectorBytes != 0 || size == 0:
		return fmt.Errorf("%w: %s has %d bytes, which is no multiple of %d, with or without a SHA-256 of %d", ErrBadFile, from, size, sectorBytes, sha256.Size)
	case !unchecked:
		return fmt.Errorf("%w: %s has no SHA-256 at its end (a database copied from a data directory has none; --skip-hash-check takes it)", ErrBadFile, from)
	}
	out, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer func() {
		if closeErr := out.Close(); err == nil {
			err = closeErr
		}
	}()
	hash := sha256.New()
	if _, err := io.CopyN(io.MultiWriter(out, hash), in, size); err != nil {
		return fmt.Errorf("interchange: copy %s: %w", from, err)
	}
	if !digested || unchecked {
		return nil
	}
	want, err := io.ReadAll(in)
	if err != nil {
		return err
	}
	if got := hash.Sum(nil); !bytes.Equal(got, want) {
		return fmt.Errorf("%w: %s: its SHA-256 is %x, at its end stands %x", ErrBadFile, from, got, want)
	}
	return nil
}

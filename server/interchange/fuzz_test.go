package interchange

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"hash/fnv"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.etcd.io/bbolt"

	"github.com/holdfast-db/holdfast/mvcc"
	"github.com/holdfast-db/holdfast/server/state"
)

// smallPages let a whole database be a few KiB.
const smallPages = 1024

// sound is a database with a row in each bucket, and so many revisions that their
// tree has a branch page.
func sound(f testing.TB) []byte {
	path := filepath.Join(f.TempDir(), "db")
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{PageSize: smallPages, NoFreelistSync: true})
	if err != nil {
		f.Fatal(err)
	}
	err = db.Update(func(tx *bbolt.Tx) error {
		for _, name := range allBuckets {
			if _, err := tx.CreateBucket(name); err != nil {
				return err
			}
		}
		for main := int64(2); main < 30; main++ {
			row := []byte{0x0a, 1, 'a', 0x10, 2, 0x18, byte(main), 0x20, byte(main - 1), 0x2a, 1, 'v'}
			if err := tx.Bucket(bucketKey).Put(appendRevision(nil, mvcc.Revision{Main: main}, false), row); err != nil {
				return err
			}
		}
		return errors.Join(
			tx.Bucket(bucketLease).Put(binary.BigEndian.AppendUint64(nil, 7), appendLease(nil, state.Lease{ID: 7, TTL: 60})),
			tx.Bucket(bucketMeta).Put(nameFinished, appendRevision(nil, mvcc.Revision{Main: 3}, false)),
			tx.Bucket(bucketRoles).Put([]byte("r"), []byte{0x0a, 1, 'r'}),
			tx.Bucket(bucketUsers).Put([]byte("u"), []byte{0x0a, 1, 'u', 0x1a, 1, 'r'}),
			tx.Bucket(bucketAlarm).Put([]byte{0x08, 1, 0x10, 1}, nil))
	})
	if err := errors.Join(err, db.Close()); err != nil {
		f.Fatal(err)
	}
	content, err := os.ReadFile(path)
	if err != nil {
		f.Fatal(err)
	}
	return content
}

// damage writes bytes over a database: each three are a place and what to put
// there. Its two roots get the checksums that make them count.
func damage(content, by []byte) {
	for ; len(by) >= 3; by = by[3:] {
		content[int(binary.BigEndian.Uint16(by))%len(content)] = by[2]
	}
	for _, at := range []int{0, smallPages} {
		root := content[at+16 : at+16+64]
		sum := fnv.New64a()
		_, _ = sum.Write(root[:56])
		binary.NativeEndian.PutUint64(root[56:], sum.Sum64())
	}
}

// FuzzImport: a damaged database is refused, or holds a state that can be read.
func FuzzImport(f *testing.F) {
	whole := sound(f)
	f.Add([]byte{})
	f.Add([]byte{0x00, 0x20, 9})    // the root leads elsewhere
	f.Add([]byte{0x08, 0x0a, 0xff}) // many elements in page 2
	f.Add([]byte{0x00, 0x19, 0x80}) // a page size that is none
	f.Fuzz(func(t *testing.T, by []byte) {
		content := append([]byte(nil), whole...)
		damage(content, by)
		path := filepath.Join(t.TempDir(), "db")
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		in, err := Read(path, mvcc.Options{ChunkBytes: 4 << 10})
		if err != nil {
			if !errors.Is(err, ErrBadFile) {
				t.Fatal(err)
			}
			return
		}
		all := &mvcc.RangeRequest{Key: []byte{0}, End: []byte{0}}
		if r, err := in.Store.Range(all); err != nil || int(r.Count) != len(r.KVs) {
			t.Fatalf("%+v, %v", r, err)
		}
	})
}

// FuzzUnwrap: what is taken is the file without its SHA-256, which is right unless
// nobody asked.
func FuzzUnwrap(f *testing.F) {
	sector := make([]byte, sectorBytes)
	sum := sha256.Sum256(sector)
	f.Add(append(append([]byte(nil), sector...), sum[:]...), false)
	f.Add(append(append([]byte(nil), sector...), make([]byte, sha256.Size)...), false)
	f.Add(sector, true)
	f.Add(sector, false)
	f.Add(sum[:], true)
	f.Fuzz(func(t *testing.T, content []byte, unchecked bool) {
		from, to := filepath.Join(t.TempDir(), "from"), filepath.Join(t.TempDir(), "to")
		if err := os.WriteFile(from, content, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := Unwrap(from, to, unchecked); err != nil {
			if !errors.Is(err, ErrBadFile) {
				t.Fatal(err)
			}
			return
		}
		got, err := os.ReadFile(to)
		rest, ok := bytes.CutPrefix(content, got)
		sum := sha256.Sum256(got)
		if err != nil || !ok || len(got)%sectorBytes != 0 || len(rest) != 0 && len(rest) != sha256.Size || !unchecked && !bytes.Equal(rest, sum[:]) {
			t.Fatalf("%d bytes of %d, %v", len(got), len(content), err)
		}
	})
}

// One byte of a database is another one, each third in turn, and of what is empty a
// sample: it is refused or read, and never the end of the process.
func TestDamagedByte(t *testing.T) {
	whole, refused, path := sound(t), 0, filepath.Join(t.TempDir(), "db")
	for at, b := range whole {
		if b == 0 && at%smallPages > 64 && at%67 > 0 || at%3 > 0 {
			continue
		}
		content := bytes.Clone(whole)
		damage(content, []byte{byte(at >> 8), byte(at), ^content[at]})
		err := checkPages(bytes.NewReader(content), int64(len(content)))
		if err == nil {
			if err := os.WriteFile(path, content, 0o600); err != nil {
				t.Fatal(err)
			}
			_, err = Read(path, mvcc.Options{ChunkBytes: 4 << 10})
		}
		if err != nil {
			refused++
			if !errors.Is(err, ErrBadFile) {
				t.Errorf("byte %d: %v", at, err)
			}
		}
	}
	if refused < 50 {
		t.Errorf("%d of %d were refused", refused, len(whole))
	}
}

// A page that leads back to one above it would be read forever.
func TestLoopOfPages(t *testing.T) {
	content := sound(t)
	root, err := (&pages{file: bytes.NewReader(content), size: smallPages}).root()
	if err != nil {
		t.Fatal(err)
	}
	at := binary.NativeEndian.Uint64(root[16:])
	page := content[at*smallPages:]
	binary.NativeEndian.PutUint16(page[8:], branchPage)
	binary.NativeEndian.PutUint16(page[10:], 1)
	binary.NativeEndian.PutUint32(page[headBytes:], elementBytes)
	binary.NativeEndian.PutUint32(page[headBytes+4:], 0)
	binary.NativeEndian.PutUint64(page[headBytes+8:], at)
	if err := checkPages(bytes.NewReader(content), int64(len(content))); !errors.Is(err, ErrBadFile) || !strings.Contains(err.Error(), "reached twice") {
		t.Errorf("a loop: %v", err)
	}
}

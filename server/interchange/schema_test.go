package interchange

import (
	"bytes"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"go.etcd.io/bbolt"
	"pgregory.net/rapid"

	"github.com/holdfast-db/holdfast/mvcc"
	"github.com/holdfast-db/holdfast/server/state"
)

// Revisions and leases, byte for byte as etcd 3.7.1 writes them.
func TestGoldenRows(t *testing.T) {
	for _, tt := range []struct {
		row  []byte
		want string
	}{
		{appendRevision(nil, mvcc.Revision{Main: 0x0102, Sub: 3}, false), "00000000000001025f0000000000000003"},
		{appendRevision(nil, mvcc.Revision{Main: 2}, true), "00000000000000025f000000000000000074"},
		{appendLease(nil, state.Lease{ID: 7, TTL: 60}), "0807103c"},
		{appendLease(nil, state.Lease{ID: -1, TTL: 60, Remaining: 30}), "08ffffffffffffffffff01103c181e"},
	} {
		if got := hex.EncodeToString(tt.row); got != tt.want {
			t.Errorf("%s, want %s", got, tt.want)
		}
	}
}

func TestRowCodecs(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := mvcc.Revision{Main: rapid.Int64Min(0).Draw(t, "main"), Sub: rapid.Int64Min(0).Draw(t, "sub")}
		tombstone := rapid.Bool().Draw(t, "tombstone")
		if got, dead, err := decodeRevision(appendRevision(nil, r, tombstone)); got != r || dead != tombstone || err != nil {
			t.Fatalf("%v became %v, %t, %v", r, got, dead, err)
		}
		l := state.Lease{ID: rapid.Int64Min(1).Draw(t, "id"), TTL: rapid.Int64Range(0, state.LeaseTTLMax).Draw(t, "ttl"), Remaining: rapid.Int64Min(0).Draw(t, "remaining")}
		if got, err := decodeLease(appendLease(nil, l)); got != l || err != nil {
			t.Fatalf("%+v became %+v, %v", l, got, err)
		}
	})
}

func FuzzDecodeRows(f *testing.F) {
	f.Add(appendRevision(nil, mvcc.Revision{Main: 2}, true))
	f.Add(appendLease(nil, state.Lease{ID: 7, TTL: 60, Remaining: 3}))
	f.Fuzz(func(t *testing.T, b []byte) {
		if r, tombstone, err := decodeRevision(b); err == nil && !bytes.Equal(appendRevision(nil, r, tombstone), b) {
			t.Errorf("revision %x became %v", b, r)
		}
		if l, err := decodeLease(b); err == nil {
			if again, err := decodeLease(appendLease(nil, l)); err != nil || again != l {
				t.Errorf("lease %x became %+v, then %+v, %v", b, l, again, err)
			}
		}
	})
}

// draft makes a database row by row, as etcd might have written it.
func draft(t *testing.T, fill func(put func(bucket, key, value []byte))) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "db")
	db, err := bbolt.Open(path, 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	err = db.Update(func(tx *bbolt.Tx) error {
		for _, name := range [][]byte{bucketKey, bucketMeta} {
			if _, err := tx.CreateBucket(name); err != nil {
				return err
			}
		}
		fill(func(bucket, key, value []byte) {
			b, err := tx.CreateBucketIfNotExists(bucket)
			if err == nil {
				err = b.Put(key, value)
			}
			if err != nil {
				t.Fatal(err)
			}
		})
		return nil
	})
	if err := errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
	return path
}

// What isn't sound is refused, never guessed at.
func TestReadRefuses(t *testing.T) {
	revision := func(main int64) []byte { return appendRevision(nil, mvcc.Revision{Main: main}, false) }
	for name, fill := range map[string]func(put func(bucket, key, value []byte)){
		"a short revision": func(put func(_, _, _ []byte)) { put(bucketKey, []byte("x"), nil) },
		"no message":       func(put func(_, _, _ []byte)) { put(bucketKey, revision(2), []byte{0xff}) },
		"no key":           func(put func(_, _, _ []byte)) { put(bucketKey, revision(2), nil) },
		"another revision": func(put func(_, _, _ []byte)) {
			put(bucketKey, revision(2), []byte{0x0a, 1, 'a', 0x10, 2, 0x18, 3, 0x20, 1})
		},
		"a version out of nowhere": func(put func(_, _, _ []byte)) {
			put(bucketKey, revision(2), []byte{0x0a, 1, 'a', 0x10, 2, 0x18, 2, 0x20, 5})
		},
		"a lease of another id":   func(put func(_, _, _ []byte)) { put(bucketLease, make([]byte, 8), []byte{0x08, 7, 0x10, 60}) },
		"a lease without end":     func(put func(_, _, _ []byte)) { put(bucketLease, make([]byte, 8), []byte{0x08}) },
		"an alarm of no kind":     func(put func(_, _, _ []byte)) { put(bucketAlarm, []byte{0x08, 1}, nil) },
		"auth without root":       func(put func(_, _, _ []byte)) { put(bucketAuth, nameAuthEnabled, []byte{1}) },
		"a compaction of nothing": func(put func(_, _, _ []byte)) { put(bucketMeta, nameScheduled, []byte("soon")) },
	} {
		if _, err := Read(draft(t, fill), mvcc.Options{}); !errors.Is(err, ErrBadFile) {
			t.Errorf("%s: %v", name, err)
		}
	}
	in, err := Read(draft(t, func(func(_, _, _ []byte)) {}), mvcc.Options{})
	if err != nil || in.Store.Revision() != 1 || in.Store.CompactRevision() != -1 {
		t.Errorf("an empty one: %v", err)
	}
	garbage := filepath.Join(t.TempDir(), "db")
	if err := os.WriteFile(garbage, make([]byte, 8192), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Read(garbage, mvcc.Options{}); !errors.Is(err, ErrBadFile) {
		t.Errorf("zeros: %v", err)
	}
}

package snapshot

import (
	"bytes"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/holdfast-db/holdfast/internal/disk"
	"github.com/holdfast-db/holdfast/raft"
)

// row is one record of a test's source.
type row struct {
	section string
	record  []byte
}

// rows is a Source, and what Load is compared with.
type rows struct {
	list []row
	at   int
}

func (s *rows) Next(buf []byte) (string, []byte, bool) {
	if s.at == len(s.list) {
		return "", nil, false
	}
	r := s.list[s.at]
	s.at++
	return r.section, append(buf, r.record...), true
}

const testCluster = 0xc1

func testMeta(index raft.Index, term raft.Term) raft.SnapshotMeta {
	return raft.SnapshotMeta{
		Last: raft.EntryID{Index: index, Term: term},
		Config: raft.ConfigAt{
			At: raft.EntryID{Index: 1, Term: 1},
			Config: raft.Configuration{Members: []raft.Member{
				{ID: 1, Incarnation: 0x1111, Voter: true, Address: "http://a:2380"},
				{ID: 2, Incarnation: 0x2222, Voter: true, Address: "http://b:2380"},
				{ID: 3, Address: "http://c:2380"},
			}},
		},
	}
}

// sampleRows makes a few sections; with large, several blocks of kv.
func sampleRows(large int) []row {
	list := []row{{"meta", []byte("m")}, {"members", []byte("one")}, {"members", nil}, {"members", []byte("two")}}
	for i := range 50 + large {
		list = append(list, row{"kv", fmt.Appendf(nil, `{"key":"/registry/pods/%08d","value":{"n":%d,"h":"%x"}}`, i, i*7, i*i*2654435761)})
	}
	return append(list, row{"leases", []byte("l")})
}

func openDir(t testing.TB, fs disk.FS) *Dir {
	t.Helper()
	d, err := OpenDir(Options{FS: fs, Path: "data/snap", Cluster: testCluster})
	if err != nil {
		t.Fatalf("OpenDir: %v", err)
	}
	return d
}

// write runs a writer to its end.
func write(d *Dir, meta raft.SnapshotMeta, list []row) (Info, error) {
	w := d.Create(Content{Meta: meta, StateHash: 0xabcdef, Source: &rows{list: list}})
	for {
		done, err := w.Step()
		if err != nil {
			return Info{}, err
		}
		if done {
			return w.Info(), nil
		}
	}
}

func mustWrite(t testing.TB, d *Dir, meta raft.SnapshotMeta, list []row) Info {
	t.Helper()
	info, err := write(d, meta, list)
	if err != nil {
		t.Fatalf("write: %v", err)
	}
	return info
}

// load reads a snapshot whole.
func load(d *Dir, last raft.EntryID, run Runner) (list []row, err error) {
	r, err := d.Open(last)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	err = r.Load(run, func(section string, record []byte) error {
		list = append(list, row{section, bytes.Clone(record)})
		return nil
	})
	return list, err
}

func equalRows(a, b []row) error {
	if len(a) != len(b) {
		return fmt.Errorf("%d records, want %d", len(a), len(b))
	}
	for i := range a {
		if a[i].section != b[i].section || !bytes.Equal(a[i].record, b[i].record) {
			return fmt.Errorf("record %d is %s %.40q, want %s %.40q", i, a[i].section, a[i].record, b[i].section, b[i].record)
		}
	}
	return nil
}

// onGoroutines is a Runner as a server has one.
func onGoroutines(task func()) (wait func()) {
	var wg sync.WaitGroup
	wg.Add(1)
	go func() {
		defer wg.Done()
		task()
	}()
	return wg.Wait
}

func readFile(t testing.TB, fs disk.FS, name string) []byte {
	t.Helper()
	f, err := fs.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	size, err := f.Size()
	if err != nil {
		t.Fatal(err)
	}
	b := make([]byte, size)
	if _, err := f.ReadAt(b, 0); err != nil && size > 0 {
		t.Fatal(err)
	}
	return b
}

// plant puts content under a name, in place of what is there.
func plant(t testing.TB, fs disk.FS, name string, content []byte) {
	t.Helper()
	if err := fs.Remove(name); err != nil && !errors.Is(err, disk.ErrNotExist) {
		t.Fatal(err)
	}
	f, err := fs.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteAt(content, 0); err != nil {
		t.Fatal(err)
	}
	if err := f.SyncData(); err != nil {
		t.Fatal(err)
	}
}

package snapshot

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"testing"

	"pgregory.net/rapid"

	"github.com/holdfast-db/holdfast/internal/disk"
	"github.com/holdfast-db/holdfast/raft"
)

// Any cutting into chunks, with repetition, closing and going on, ends in the
// sender's file.
func TestReceiveAnyChunks(t *testing.T) {
	in, content := incoming(t, sampleRows(5000))
	rapid.Check(t, func(t *rapid.T) {
		fs := disk.NewMem()
		d, err := OpenDir(Options{FS: fs, Path: "data/snap", Cluster: testCluster})
		if err != nil {
			t.Fatal(err)
		}
		r, err := d.Receive(in)
		if err != nil {
			t.Fatal(err)
		}
		for !r.Done() {
			from := max(r.Offset()-rapid.Int64Range(0, 100).Draw(t, "back"), 0)
			n := min(rapid.Int64Range(1, 100_000).Draw(t, "size"), in.Size-from)
			if err := r.Write(from, content[from:from+n]); err != nil {
				t.Fatal(err)
			}
			if rapid.IntRange(0, 9).Draw(t, "close") == 0 && !r.Done() {
				before := r.Offset()
				if err := r.Close(); err != nil {
					t.Fatal(err)
				}
				if r, err = d.Receive(in); err != nil {
					t.Fatal(err)
				}
				if r.Offset() > before {
					t.Fatalf("resumed at %d, left at %d", r.Offset(), before)
				}
			}
		}
		meta, err := r.Finish()
		if err != nil || meta.Last != in.Last {
			t.Fatalf("%v, %v", meta.Last, err)
		}
		if _, err := load(d, in.Last, nil); err != nil {
			t.Fatal(err)
		}
		if names, _ := fs.List("data/snap"); len(names) != 1 {
			t.Fatalf("directory holds %v", names)
		}
	})
}

// A transfer that was interrupted goes on near where it was, not at the start.
func TestReceiveResumesAtTheLastWholeBlock(t *testing.T) {
	in, content := incoming(t, sampleRows(20_000))
	fs := disk.NewMem()
	d := openDir(t, fs)
	r, err := d.Receive(in)
	if err != nil {
		t.Fatal(err)
	}
	p := parts(t, content)
	whole := int64(len(p[0]) + len(p[1]) + len(p[2]))
	if err := r.Write(0, content[:whole+100]); err != nil {
		t.Fatal(err)
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	r, err = openDir(t, fs).Receive(in)
	if err != nil {
		t.Fatal(err)
	}
	if r.Offset() != whole {
		t.Errorf("resumed at %d, want %d", r.Offset(), whole)
	}
}

func TestReceiveRefusesGapsAndSurplus(t *testing.T) {
	in, content := incoming(t, sampleRows(100))
	r, err := openDir(t, disk.NewMem()).Receive(in)
	if err != nil {
		t.Fatal(err)
	}
	for _, at := range []int64{1, in.Size, -1} {
		if err := r.Write(at, content[:10]); !errors.Is(err, ErrGap) {
			t.Errorf("at %d: %v", at, err)
		}
	}
	if err := r.Write(0, append(bytes.Clone(content), 1)); !errors.Is(err, ErrForeign) {
		t.Errorf("surplus: %v", err)
	}
	if r.Offset() != 0 {
		t.Errorf("offset %d after refusals", r.Offset())
	}
}

// A flipped bit is found in the part that it is in, and only from there on is
// anything sent again.
func TestReceiveDetectsDamageAtOnce(t *testing.T) {
	in, content := incoming(t, sampleRows(20_000))
	p := parts(t, content)
	rng := rand.New(rand.NewPCG(1, 1))
	for i, at := 0, 0; i < len(p); i++ {
		d := openDir(t, disk.NewMem())
		r, err := d.Receive(in)
		if err != nil {
			t.Fatal(err)
		}
		if err := receive(rng, r, content, int64(at)); err != nil {
			t.Fatal(err)
		}
		damaged := bytes.Clone(content[at:])
		damaged[rng.IntN(len(p[i]))] ^= 1 << rng.IntN(8)
		if err := r.Write(int64(at), damaged); !detected(err) {
			t.Fatalf("part %d damaged: %v", i, err)
		}
		if r.Offset() != int64(at) {
			t.Errorf("part %d damaged: goes on at %d, want %d", i, r.Offset(), at)
		}
		if err := receive(rng, r, content, in.Size); err != nil {
			t.Fatalf("sent again: %v", err)
		}
		if _, err := r.Finish(); err != nil {
			t.Fatal(err)
		}
		at += len(p[i])
	}
}

// The partial file may hold anything after a crash: what isn't proven goes.
func TestReceiveIgnoresRottenPartialFile(t *testing.T) {
	in, content := incoming(t, sampleRows(20_000))
	rng := rand.New(rand.NewPCG(1, 1))
	for range 50 {
		fs := disk.NewMem()
		d := openDir(t, fs)
		rotten := bytes.Clone(content[:rng.IntN(len(content)+1)])
		for range rng.IntN(3) {
			if len(rotten) > 0 {
				rotten[rng.IntN(len(rotten))] ^= byte(1 + rng.IntN(255))
			}
		}
		if rng.IntN(3) == 0 {
			rotten = append(rotten, make([]byte, rng.IntN(2*len(content)))...)
		}
		plant(t, fs, d.path(partName(in.Last, in.Digest)), rotten)
		if err := transfer(rng, d, in, content); err != nil {
			t.Fatal(err)
		}
		if got := readFile(t, fs, d.path(snapName(in.Last))); !bytes.Equal(got, content) {
			t.Fatal("received another file")
		}
	}
}

// A sound file that isn't the announced one is refused and removed.
func TestReceiveForeign(t *testing.T) {
	in, content := incoming(t, sampleRows(100))
	cases := map[string]func(*Incoming, *Options){
		"digest":  func(in *Incoming, _ *Options) { in.Digest++ },
		"last":    func(in *Incoming, _ *Options) { in.Last.Index++ },
		"cluster": func(_ *Incoming, o *Options) { o.Cluster++ },
	}
	for name, change := range cases {
		t.Run(name, func(t *testing.T) {
			announced, o := in, Options{FS: disk.NewMem(), Path: "data/snap", Cluster: testCluster}
			change(&announced, &o)
			d, err := OpenDir(o)
			if err != nil {
				t.Fatal(err)
			}
			if err := transfer(rand.New(rand.NewPCG(1, 1)), d, announced, content); !errors.Is(err, ErrForeign) {
				t.Errorf("err = %v", err)
			}
			if names, _ := o.FS.List("data/snap"); len(names) != 0 {
				t.Errorf("directory holds %v", names)
			}
		})
	}
}

func TestReceiveAnnouncedSize(t *testing.T) {
	d, err := OpenDir(Options{FS: disk.NewMem(), Path: "data/snap", FileBytesMax: 1000})
	if err != nil {
		t.Fatal(err)
	}
	for size, want := range map[int64]error{1001: ErrTooLarge, 1 << 62: ErrTooLarge, 0: ErrForeign, -1: ErrForeign} {
		if _, err := d.Receive(Incoming{Last: raft.EntryID{Index: 1, Term: 1}, Size: size}); !errors.Is(err, want) {
			t.Errorf("%d bytes: %v, want %v", size, err, want)
		}
	}
}

// Whatever a file holds, reading it ends, without a panic, and if it ends well
// then writing it again gives the same records.
func FuzzLoad(f *testing.F) {
	f.Add(fileOf(f, sampleRows(0)))
	f.Add([]byte(headerMagic))
	f.Fuzz(func(t *testing.T, content []byte) {
		list, err := tryLoad(t, content)
		if err != nil {
			return
		}
		again, err := tryLoad(t, fileOf(t, list))
		if err != nil {
			t.Fatal(err)
		}
		if err := equalRows(again, list); err != nil {
			t.Fatal(err)
		}
	})
}

// Sound hashes around anything: what they vouch for is still not believed.
func FuzzForged(f *testing.F) {
	f.Add([]byte("\x02ab\x03xyz"), false, uint32(7), uint8(2))
	f.Add(newEncoder().EncodeAll([]byte("\x02ab\x03xyz"), nil), true, uint32(7), uint8(2))
	f.Add(newEncoder().EncodeAll(make([]byte, 1<<20), nil), true, uint32(blockBytesMax), uint8(0))
	f.Fuzz(func(t *testing.T, data []byte, isFrame bool, raw uint32, records uint8) {
		frame := data
		if !isFrame {
			frame, raw = newEncoder().EncodeAll(data, nil), uint32(len(data))
		}
		block := blockHeader{section: nameOf("kv"), raw: raw, stored: uint32(len(frame))}
		sums := []Section{{Name: "kv", Records: uint64(records), Raw: uint64(raw), Stored: uint64(len(frame))}}
		list, err := tryLoad(t, forge(block, frame, sums, 1))
		if err != nil && !detected(err) {
			t.Fatal(err)
		}
		if err == nil && len(list) != int(records) {
			t.Fatalf("%d records, footer says %d", len(list), records)
		}
	})
}

// Whatever is sent, the receiver answers, and takes nothing that Load refuses.
func FuzzReceive(f *testing.F) {
	content := fileOf(f, sampleRows(0))
	f.Add(content, uint16(100))
	f.Add(content[:200], uint16(7))
	f.Fuzz(func(t *testing.T, content []byte, chunk uint16) {
		d := openDir(t, disk.NewMem())
		in := Incoming{Last: raft.EntryID{Index: 9, Term: 2}, Size: int64(len(content))}
		if n := len(content); n >= footerTailBytes {
			f := content[n-footerTailBytes:]
			for i := range 8 {
				in.Digest |= uint64(f[i]) << (8 * i)
			}
		}
		r, err := d.Receive(in)
		if err != nil {
			return
		}
		for at := 0; at < len(content); {
			n := min(int(chunk)+1, len(content)-at)
			if r.Write(int64(at), content[at:at+n]) != nil {
				return
			}
			at += n
		}
		if !r.Done() {
			return
		}
		if _, err := r.Finish(); err != nil {
			return
		}
		if _, err := d.Open(in.Last); err != nil {
			t.Fatalf("received what can't be opened: %v", err)
		}
	})
}

// A failed sync is never made good by a second one: the file is dropped, and
// what is received afterwards stands on the disk, not in the page cache alone.
func TestReceiveAfterAFailedSync(t *testing.T) {
	in, content := incoming(t, sampleRows(5000))
	fs := disk.NewMem()
	d := openDir(t, fs)
	receive := func() error {
		r, err := d.Receive(in)
		if err != nil {
			t.Fatal(err)
		}
		if r.Offset() != 0 {
			t.Errorf("goes on at %d", r.Offset())
		}
		if err := r.Write(0, content); err != nil {
			t.Fatal(err)
		}
		_, err = r.Finish()
		return errors.Join(err, r.Close())
	}
	fs.SetInjector(disk.FailOn(disk.OpSync, ".part", 1, 1, disk.ErrIO))
	if err := receive(); !errors.Is(err, disk.ErrIO) {
		t.Fatalf("a failed sync went unnoticed: %v", err)
	}
	if err := receive(); err != nil {
		t.Fatal(err)
	}
	d = openDir(t, fs.Crash(rand.New(rand.NewPCG(1, 1)), disk.CrashOptions{DropAll: true}))
	if _, err := load(d, in.Last, nil); err != nil {
		t.Errorf("after a power loss: %v", err)
	}
}

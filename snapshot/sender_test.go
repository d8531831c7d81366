package snapshot

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"testing"

	"github.com/holdfast-db/holdfast/internal/disk"
)

// sendAll reads a file as a transfer does, from an offset on.
func sendAll(s *Sender, from int64, chunk int) (content []byte, err error) {
	buffer := make([]byte, chunk)
	for at := from; at < s.Size(); {
		n, err := s.ReadAt(buffer, at)
		if err != nil && !errors.Is(err, io.EOF) {
			return content, err
		}
		content = append(content, buffer[:n]...)
		at += int64(n)
	}
	return content, nil
}

// What is sent is the file, whatever the chunks, from wherever a transfer goes on.
func TestSenderSendsTheFile(t *testing.T) {
	fs := disk.NewMem()
	d := openDir(t, fs)
	info := mustWrite(t, d, testMeta(9, 2), sampleRows(20_000))
	content := readFile(t, fs, d.path(snapName(info.Last)))
	s, err := d.OpenToSend(info.Last)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for _, from := range []int64{0, 1, s.Size() / 2, s.Size() - 1, s.Size() / 3} {
		got, err := sendAll(s, from, 7777)
		if err != nil || !bytes.Equal(got, content[from:]) || s.Failed() != nil {
			t.Errorf("from %d: %d bytes of %d, %v, %v", from, len(got), len(content)-int(from), err, s.Failed())
		}
	}
}

// A flipped bit anywhere is found before the part that holds it has been sent
// whole, and also by a transfer that goes on behind it.
func TestSenderFindsRot(t *testing.T) {
	fs := disk.NewMem()
	d := openDir(t, fs)
	info := mustWrite(t, d, testMeta(9, 2), sampleRows(20_000))
	name := d.path(snapName(info.Last))
	rnd := rand.New(rand.NewPCG(1, 2))
	found := 0
	for range 200 {
		bit := rnd.Int64N(info.Size * 8)
		if err := fs.FlipBit(name, bit); err != nil {
			t.Fatal(err)
		}
		s, err := d.OpenToSend(info.Last)
		if err == nil {
			found++
			for _, from := range []int64{0, min(bit/8+1, info.Size-1)} {
				got, err := sendAll(s, from, 4096)
				if !errors.Is(err, ErrCorrupt) || s.Failed() == nil || from+int64(len(got)) == info.Size {
					t.Fatalf("bit %d, from %d: %d bytes went out, %v", bit, from, len(got), err)
				}
			}
			_ = s.Close()
		} else if !errors.Is(err, ErrCorrupt) && !errors.Is(err, ErrUnknownFormat) {
			t.Fatalf("bit %d: %v", bit, err)
		}
		if err := fs.FlipBit(name, bit); err != nil {
			t.Fatal(err)
		}
	}
	if found < 100 {
		t.Errorf("only %d of 200 were left to the transfer", found)
	}
}

// A file that loses its end, or can't be read, has failed as well.
func TestSenderOfAFileCutShort(t *testing.T) {
	fs := disk.NewMem()
	d := openDir(t, fs)
	info := mustWrite(t, d, testMeta(9, 2), sampleRows(20_000))
	s, err := d.OpenToSend(info.Last)
	if err != nil {
		t.Fatal(err)
	}
	if err := fs.Cut(d.path(snapName(info.Last)), info.Size/2); err != nil {
		t.Fatal(err)
	}
	if got, err := sendAll(s, 0, 4096); err == nil || s.Failed() == nil || int64(len(got)) > info.Size/2 {
		t.Errorf("%d of %d bytes, %v", len(got), info.Size, err)
	}
}

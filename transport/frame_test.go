package transport

import (
	"bytes"
	"encoding/hex"
	"errors"
	"io"
	"testing"
	"testing/iotest"
)

// TestFrameGolden fixes the bytes on the wire.
func TestFrameGolden(t *testing.T) {
	got := AppendFrame([]byte("before"), KindForward, []byte("ab"), nil, []byte("c"))
	want := "6265666f7265" + "03000000" + "02" + "00" + "0000" + "171d8690" + "616263"
	if hex.EncodeToString(got) != want {
		t.Fatalf("frame\n got %x\nwant %s", got, want)
	}
}

func TestFrameRoundTrip(t *testing.T) {
	var stream []byte
	kinds := []Kind{KindRaft, KindForward, KindForwardReply, KindPing, KindSnapshot, KindHello, KindRefusal}
	for i, k := range kinds {
		stream = AppendFrame(stream, k, bytes.Repeat([]byte{byte(i)}, min(k.PayloadMax(), i*100)))
	}
	rest, reader := stream, NewReader(iotest.OneByteReader(bytes.NewReader(stream)))
	for i, k := range kinds {
		f, tail, err := DecodeFrame(rest)
		if err != nil || f.Kind != k || len(f.Payload) != min(k.PayloadMax(), i*100) {
			t.Fatalf("frame %d: %v with %d bytes, %v", i, f.Kind, len(f.Payload), err)
		}
		read, err := reader.Next()
		if err != nil || read.Kind != f.Kind || !bytes.Equal(read.Payload, f.Payload) {
			t.Fatalf("frame %d: the reader differs: %v, %v", i, read.Kind, err)
		}
		rest = tail
	}
	if _, err := reader.Next(); err != io.EOF || len(rest) != 0 {
		t.Fatalf("end of stream: %v, %d bytes left", err, len(rest))
	}
	if reader.Received() != uint64(len(stream)) {
		t.Fatalf("received %d of %d bytes", reader.Received(), len(stream))
	}
}

// TestFrameEveryBitCounts flips each bit of a frame: none may go unnoticed.
func TestFrameEveryBitCounts(t *testing.T) {
	frame := AppendFrame(nil, KindRaft, []byte("payload"))
	for bit := range 8 * len(frame) {
		damaged := bytes.Clone(frame)
		damaged[bit/8] ^= 1 << (bit % 8)
		if f, _, err := DecodeFrame(damaged); err == nil {
			t.Fatalf("bit %d flipped and decoded as %v %q", bit, f.Kind, f.Payload)
		}
		if _, err := NewReader(bytes.NewReader(damaged)).Next(); !errors.Is(err, ErrMalformed) && !errors.Is(err, ErrTruncated) {
			t.Fatalf("bit %d flipped: reader says %v", bit, err)
		}
	}
}

func TestFrameTruncatedAnywhere(t *testing.T) {
	frame := AppendFrame(nil, KindSnapshot, []byte("payload"))
	for n := 1; n < len(frame); n++ {
		if _, _, err := DecodeFrame(frame[:n]); !errors.Is(err, ErrTruncated) {
			t.Fatalf("%d bytes: decoder says %v", n, err)
		}
		if _, err := NewReader(bytes.NewReader(frame[:n])).Next(); !errors.Is(err, ErrTruncated) {
			t.Fatalf("%d bytes: reader says %v", n, err)
		}
	}
}

// TestOversizedLength: a length above the kind's limit is refused before a
// byte of the payload is read.
func TestOversizedLength(t *testing.T) {
	for k := KindRaft; k < kindEnd; k++ {
		frame := AppendFrame(nil, k)
		over := uint32(k.PayloadMax() + 1)
		for i := range 4 {
			frame[i] = byte(over >> (8 * i))
		}
		source := bytes.NewReader(append(frame, make([]byte, 100)...))
		if _, err := NewReader(source).Next(); !errors.Is(err, ErrMalformed) {
			t.Errorf("%v of %d bytes: %v", k, over, err)
		}
	}
}

// TestLengthAloneAllocatesLittle: twelve bytes that announce the largest
// payload must not make the reader allocate it.
func TestLengthAloneAllocatesLittle(t *testing.T) {
	frame := AppendFrame(nil, KindRaft)
	frame[3] = 0x04 // 0x04000000 is 64 MiB
	result := testing.Benchmark(func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := NewReader(bytes.NewReader(frame)).Next(); !errors.Is(err, ErrTruncated) {
				b.Fatalf("got %v", err)
			}
		}
	})
	if got := result.AllocedBytesPerOp(); got > 2*trustedBytes {
		t.Fatalf("%d bytes allocated for a length word", got)
	}
}

// TestNextOf: a frame of the wrong kind is refused by its header alone.
func TestNextOf(t *testing.T) {
	frame := AppendFrame(nil, KindRaft, make([]byte, 100))
	if f, err := NewReader(bytes.NewReader(frame)).NextOf(KindPing, KindRaft); err != nil || len(f.Payload) != 100 {
		t.Fatalf("%v, %v", f.Kind, err)
	}
	if _, err := NewReader(bytes.NewReader(frame[:FrameHeaderBytes])).NextOf(KindHello); !errors.Is(err, ErrMalformed) {
		t.Fatalf("a raft frame before the hello: %v", err)
	}
}

func TestLargePayloadArrivesInPieces(t *testing.T) {
	payload := bytes.Repeat([]byte("0123456789abcdef"), 5<<20/16+3)
	frame := AppendFrame(nil, KindForward, payload)
	f, err := NewReader(iotest.HalfReader(bytes.NewReader(frame))).Next()
	if err != nil || !bytes.Equal(f.Payload, payload) {
		t.Fatalf("%d bytes arrived, %v", len(f.Payload), err)
	}
}

func TestAppendFrameRefusesWhatNobodyAccepts(t *testing.T) {
	for name, build := range map[string]func(){
		"oversized": func() { AppendFrame(nil, KindPing, []byte{1}) },
		"unknown":   func() { AppendFrame(nil, kindEnd) },
		"zero":      func() { AppendFrame(nil, 0) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: no panic", name)
				}
			}()
			build()
		}()
	}
}

func FuzzFrame(f *testing.F) {
	f.Add(AppendFrame(nil, KindPing))
	f.Add(AppendFrame(AppendFrame(nil, KindForward, []byte("x")), KindRaft, []byte("yz")))
	f.Add(AppendFrame(nil, KindSnapshot, make([]byte, 300))[:40])
	f.Fuzz(func(t *testing.T, b []byte) {
		rest, reader := b, NewReader(bytes.NewReader(b))
		for {
			frame, tail, err := DecodeFrame(rest)
			read, readErr := reader.Next()
			if (err == nil) != (readErr == nil) {
				t.Fatalf("decoder says %v, reader %v", err, readErr)
			}
			if err != nil {
				return
			}
			if again := AppendFrame(nil, frame.Kind, frame.Payload); !bytes.Equal(again, rest[:len(again)]) {
				t.Fatalf("encodes to %x, was %x", again, rest[:len(again)])
			}
			if read.Kind != frame.Kind || !bytes.Equal(read.Payload, frame.Payload) {
				t.Fatalf("reader and decoder differ")
			}
			rest = tail
		}
	})
}

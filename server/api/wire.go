package api

import "google.golang.org/protobuf/encoding/protowire"

// Pieces of proto3's encoding for messages that are encoded by hand: all field
// numbers used here are below 16, so a tag is one byte; zero values are left out.

func appendMessage(dst []byte, field protowire.Number, size int) []byte {
	dst = protowire.AppendTag(dst, field, protowire.BytesType)
	return protowire.AppendVarint(dst, uint64(size))
}

func sizeMessage(size int) int { return 1 + protowire.SizeBytes(size) }

func appendInt(dst []byte, field protowire.Number, v int64) []byte {
	if v == 0 {
		return dst
	}
	dst = protowire.AppendTag(dst, field, protowire.VarintType)
	return protowire.AppendVarint(dst, uint64(v))
}

func sizeInt(v int64) int {
	if v == 0 {
		return 0
	}
	return 1 + protowire.SizeVarint(uint64(v))
}

func appendFlag(dst []byte, field protowire.Number, v bool) []byte {
	if !v {
		return dst
	}
	return appendInt(dst, field, 1)
}

func appendBytesField(dst []byte, field protowire.Number, b []byte) []byte {
	if len(b) == 0 {
		return dst
	}
	dst = protowire.AppendTag(dst, field, protowire.BytesType)
	return protowire.AppendBytes(dst, b)
}

func sizeBytes(b []byte) int {
	if len(b) == 0 {
		return 0
	}
	return sizeMessage(len(b))
}

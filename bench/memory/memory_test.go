package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestMarkdown(t *testing.T) {
	var b strings.Builder
	markdown(&b, []result{{Server: "x", LoadTook: 90 * time.Second, Loaded: 400 << 20, LoadPeak: 500 << 20, AfterStop: 300 * time.Millisecond,
		AfterKill: time.Second, Restarted: 390 << 20, RestartPeak: 410 << 20, DataDirBytes: 1 << 20}})
	want := "| x | 90.00 s | 400 MiB | 500 MiB | 0.30 s | 1.00 s | 390 MiB | 410 MiB | 1 MiB |\n"
	if !strings.HasSuffix(b.String(), want) {
		t.Errorf("%s", b.String())
	}
}

func TestDiskUse(t *testing.T) {
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "a", "b"), 0o700); err != nil {
		t.Fatal(err)
	}
	for path, size := range map[string]int{"x": 10, "a/b/y": 32} {
		if err := os.WriteFile(filepath.Join(dir, path), make([]byte, size), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if got := diskUse(dir); got != 42 {
		t.Errorf("diskUse = %d, want 42", got)
	}
}

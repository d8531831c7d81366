package main

import (
	"encoding/json"
	"fmt"
	"io"

	"go.etcd.io/etcd/api/v3/mvccpb"
)

// row is a key-value pair in JSON: keys and values as text where they are text.
type row struct {
	Key     string `json:"key"`
	Value   string `json:"value"`
	Create  int64  `json:"create_revision"`
	Mod     int64  `json:"mod_revision"`
	Version int64  `json:"version"`
	Lease   int64  `json:"lease,omitempty"`
	Type    string `json:"type,omitempty"` // of an event
}

func rowOf(kv *mvccpb.KeyValue) row {
	return row{
		Key: string(kv.Key), Value: string(kv.Value), Create: kv.CreateRevision,
		Mod: kv.ModRevision, Version: kv.Version, Lease: kv.Lease,
	}
}

// printer writes answers as text or JSON, one line each.
type printer struct {
	w    io.Writer
	json bool
}

func newPrinter(w io.Writer, format string) (*printer, error) {
	switch format {
	case "text", "json":
		return &printer{w, format == "json"}, nil
	}
	return nil, exitWith(exitUsage, fmt.Errorf("--output must be text or json (set to %q)", format))
}

// print writes v as JSON, or the text.
func (p *printer) print(v any, format string, args ...any) error {
	if p.json {
		return json.NewEncoder(p.w).Encode(v)
	}
	_, err := fmt.Fprintf(p.w, format, args...)
	return err
}

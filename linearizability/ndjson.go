package linearizability

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"
)

// A history is stored as NDJSON, one record a line, so that it can be cut,
// searched and compared with the usual tools:
//
//	{"history":{"version":1,"base_revision":1,"log":true}}
//	{"base":{"key":"a","value":"0","create":1,"mod":1,"version":1}}
//	{"operation":{"client":3,"call":10,"return":25,"request":{"kind":"put","key":"a","value":"1"},…}}
//	{"watch":{"client":9,"key":"a","created":1,"responses":[…]}}
//	{"change":{"kv":{"key":"a","value":"1",…}}}
//
// Changes are the log's; the header says whether there is one. Keys and values
// must be valid UTF-8.
const historyVersion = 1

// ErrMalformed is wrapped by the errors of Read about what it read.
var ErrMalformed = errors.New("linearizability: malformed history")

const (
	lineBytesMax = 16 << 20
	// requestDepthMax bounds transactions inside transactions.
	requestDepthMax = 16
)

type historyHeader struct {
	Version      int   `json:"version"`
	BaseRevision int64 `json:"base_revision,omitempty"`
	Log          bool  `json:"log,omitempty"`
}

// record is a line: exactly one field is set.
type record struct {
	History   *historyHeader `json:"history,omitempty"`
	Base      *KeyValue      `json:"base,omitempty"`
	Operation *Operation     `json:"operation,omitempty"`
	Watch     *Watch         `json:"watch,omitempty"`
	Change    *Change        `json:"change,omitempty"`
}

// Write stores a history. It is read back as it was, and written again as the
// same bytes.
func Write(w io.Writer, h *History) error {
	buffered := bufio.NewWriter(w)
	put := func(r record) error {
		b, err := json.Marshal(r)
		if err != nil {
			return err
		}
		if bytes.Contains(b, []byte(`\ufffd`)) {
			return errors.New("linearizability: a key or value is not valid UTF-8")
		}
		_, err = buffered.Write(append(b, '\n'))
		return err
	}
	err := put(record{History: &historyHeader{historyVersion, h.BaseRevision, h.Log != nil}})
	for i := range h.Base {
		err = errors.Join(err, put(record{Base: &h.Base[i]}))
	}
	for i := range h.Operations {
		err = errors.Join(err, put(record{Operation: &h.Operations[i]}))
	}
	for i := range h.Watches {
		err = errors.Join(err, put(record{Watch: &h.Watches[i]}))
	}
	for i := range h.Log {
		err = errors.Join(err, put(record{Change: &h.Log[i]}))
	}
	return errors.Join(err, buffered.Flush())
}

// Read loads a history. It checks all that the checks rely on; errors name the
// line.
func Read(r io.Reader) (*History, error) {
	scanner := bufio.NewScanner(r)
	scanner.Buffer(nil, lineBytesMax)
	var h History
	log, line := false, 0
	for scanner.Scan() {
		line++
		rec, err := parseRecord(scanner.Bytes())
		if err == nil && (line == 1) != (rec.History != nil) {
			err = fmt.Errorf("%w: the header must be the first line, and only that", ErrMalformed)
		}
		if err == nil && line == 1 {
			log = rec.History.Log
		}
		if err == nil {
			err = h.add(rec, log)
		}
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", line, err)
		}
	}
	switch err := scanner.Err(); {
	case errors.Is(err, bufio.ErrTooLong):
		return nil, fmt.Errorf("line %d: %w: longer than %d bytes", line+1, ErrMalformed, lineBytesMax)
	case err != nil:
		return nil, err
	case line == 0:
		return nil, fmt.Errorf("%w: it is empty", ErrMalformed)
	}
	return &h, nil
}

func parseRecord(b []byte) (*record, error) {
	if !utf8.Valid(b) {
		return nil, fmt.Errorf("%w: not valid UTF-8", ErrMalformed)
	}
	decoder := json.NewDecoder(bytes.NewReader(b))
	decoder.DisallowUnknownFields()
	var rec record
	if err := decoder.Decode(&rec); err != nil {
		return nil, fmt.Errorf("%w: %v", ErrMalformed, err)
	}
	if _, err := decoder.Token(); err != io.EOF {
		return nil, fmt.Errorf("%w: more than one record", ErrMalformed)
	}
	return &rec, nil
}

// add takes a record in, after checking it.
func (h *History) add(rec *record, log bool) error {
	set := 0
	for _, present := range [...]bool{rec.History != nil, rec.Base != nil, rec.Operation != nil, rec.Watch != nil, rec.Change != nil} {
		if present {
			set++
		}
	}
	switch {
	case set != 1:
		return fmt.Errorf("%w: a record of %d kinds", ErrMalformed, set)
	case rec.History != nil:
		return h.begin(rec.History)
	case rec.Base != nil:
		h.Base = append(h.Base, *rec.Base)
	case rec.Operation != nil:
		h.Operations = append(h.Operations, *rec.Operation)
		return rec.Operation.check()
	case rec.Watch != nil:
		h.Watches = append(h.Watches, *rec.Watch)
	case !log:
		return fmt.Errorf("%w: a change, but the header says there is no log", ErrMalformed)
	default:
		return h.addChange(rec.Change)
	}
	return nil
}

func (h *History) begin(header *historyHeader) error {
	if header.Version != historyVersion {
		return fmt.Errorf("%w: version %d", ErrMalformed, header.Version)
	}
	if header.BaseRevision < 0 {
		return fmt.Errorf("%w: base revision %d", ErrMalformed, header.BaseRevision)
	}
	h.BaseRevision = header.BaseRevision
	if header.Log {
		h.Log = []Change{}
	}
	return nil
}

// addChange keeps the log within one revision of its neighbour, for a gap would
// be walked through step by step.
func (h *History) addChange(c *Change) error {
	last := h.baseRevision()
	if n := len(h.Log); n > 0 {
		last = h.Log[n-1].KV.Mod
	}
	if c.KV.Mod < last || c.KV.Mod > last+1 || c.KV.Mod <= h.baseRevision() {
		return fmt.Errorf("%w: a change at revision %d after %d", ErrMalformed, c.KV.Mod, last)
	}
	h.Log = append(h.Log, *c)
	return nil
}

func (op *Operation) check() error {
	if op.Call > op.Return {
		return fmt.Errorf("%w: it returned at %d and was called at %d", ErrMalformed, op.Return, op.Call)
	}
	if op.Client < 0 || op.Response.Revision < 0 {
		return fmt.Errorf("%w: client %d, revision %d", ErrMalformed, op.Client, op.Response.Revision)
	}
	return op.Request.check(0)
}

func (r *Request) check(depth int) error {
	inside := depth > 0 && (r.Kind == Compact || r.Kind == Revoke)
	switch {
	case r.Kind == 0 || r.Kind >= kindEnd || inside:
		return fmt.Errorf("%w: a request of kind %v at depth %d", ErrMalformed, r.Kind, depth)
	case depth > requestDepthMax:
		return fmt.Errorf("%w: transactions nested more than %d deep", ErrMalformed, requestDepthMax)
	}
	for _, branch := range [...][]Request{r.Then, r.Else} {
		for i := range branch {
			if err := branch[i].check(depth + 1); err != nil {
				return err
			}
		}
	}
	return nil
}

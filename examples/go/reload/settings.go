package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"
)

// settings is what may change while the server runs. A value is never changed once it is in use: a new one replaces it.
type settings struct {
	Greeting     string `json:"greeting"`
	MaxPerSecond int    `json:"maxPerSecond"`
}

var defaults = settings{Greeting: "hello, I have no configuration yet", MaxPerSecond: 100}

// parse reads and checks settings. It refuses names that it does not know: a misspelt one would otherwise be a change
// that everybody believes to be in use.
func parse(data []byte) (*settings, error) {
	s := defaults
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(&s); err != nil {
		return nil, err
	}
	if d.More() {
		return nil, errors.New("something stands behind the JSON object")
	}
	if s.Greeting == "" {
		return nil, errors.New("greeting must not be empty")
	}
	if s.MaxPerSecond < 1 || s.MaxPerSecond > 10_000 {
		return nil, fmt.Errorf("maxPerSecond is %d; 1 to 10000 is possible", s.MaxPerSecond)
	}
	return &s, nil
}

// limiter counts the requests of the current second.
type limiter struct {
	mu     sync.Mutex
	second int64
	count  int
}

func newLimiter() *limiter { return &limiter{} }

func (l *limiter) allow(perSecond int) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if now := time.Now().Unix(); now != l.second {
		l.second, l.count = now, 0
	}
	l.count++
	return l.count <= perSecond
}

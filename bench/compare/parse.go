package main

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
)

var (
	perSecond = regexp.MustCompile(`Requests/sec:\s*([0-9.e+]+)`)
	quantile  = regexp.MustCompile(`(?m)^\s*([0-9.]+)% in ([0-9.e+-]+) secs`)
)

// parse reads the summary that etcd's benchmark tool prints with --precise. Requests that failed are listed behind
// "Error distribution" and would make the rate a lie, so they are an error here.
func parse(out string) (sample, error) {
	if _, errors, found := strings.Cut(out, "Error distribution:"); found {
		return sample{}, fmt.Errorf("requests failed: %s", strings.Join(strings.Fields(errors), " "))
	}
	rate := perSecond.FindStringSubmatch(out)
	if rate == nil {
		return sample{}, fmt.Errorf("no Requests/sec in %q", out)
	}
	var s sample
	var err error
	if s.PerSecond, err = strconv.ParseFloat(rate[1], 64); err != nil {
		return sample{}, fmt.Errorf("requests per second: %w", err)
	}
	for _, q := range quantile.FindAllStringSubmatch(out, -1) {
		seconds, err := strconv.ParseFloat(q[2], 64)
		if err != nil {
			return sample{}, fmt.Errorf("quantile %s: %w", q[1], err)
		}
		switch q[1] {
		case "50":
			s.P50 = time.Duration(seconds * float64(time.Second))
		case "99":
			s.P99 = time.Duration(seconds * float64(time.Second))
		}
	}
	if s.P50 == 0 || s.P99 == 0 {
		return sample{}, fmt.Errorf("no latency distribution in %q", out)
	}
	return s, nil
}

package main

import (
	"fmt"
	"regexp"
)

// servers are the two that are compared; the first is the base of the ratios' denominator.
var servers = []string{"etcd", "holdfast"}

// testCase is one run of the load tool.
type testCase struct {
	Name    string
	Clients int
	Conns   int
	Total   int      // requests
	Args    []string // the tool's subcommand and its flags, without --total
}

// Keys are 32 bytes and values 256, as in targets of this kind of store; reads are of one key that exists.
var put = []string{"put", "--key-size=32", "--val-size=256", "--key-space-size=100000"}

var cases = []testCase{
	{"put, 1 client", 1, 1, 3_000, put},
	{"put, 100 clients", 100, 100, 40_000, put},
	{"put, 1000 clients", 1000, 100, 80_000, put},
	{"range linearizable, 1 client", 1, 1, 3_000, []string{"range", readKey, "--consistency=l"}},
	{"range linearizable, 1000 clients", 1000, 100, 120_000, []string{"range", readKey, "--consistency=l"}},
	{"range serializable, 1000 clients", 1000, 100, 150_000, []string{"range", readKey, "--consistency=s"}},
	{"txn-put, 1000 clients", 1000, 100, 60_000, []string{"txn-put", "--key-size=32", "--val-size=256", "--key-space-size=100000"}},
}

// readKey is put before the cases run, with a value of 256 bytes.
const readKey = "a-key-of-thirty-two-bytes-to-read"

// requestsMin: with fewer the tool prints no 99th percentile.
const requestsMin = 1000

func selected(match *regexp.Regexp, scale float64) []testCase {
	var out []testCase
	for _, c := range cases {
		if match.MatchString(c.Name) {
			c.Total = max(int(float64(c.Total)*scale), requestsMin)
			out = append(out, c)
		}
	}
	return out
}

// command is the tool's whole command line against one endpoint.
func (c testCase) command(endpoint string) []string {
	return append([]string{
		"--endpoints=" + endpoint,
		fmt.Sprintf("--clients=%d", c.Clients),
		fmt.Sprintf("--conns=%d", c.Conns),
		"--precise",
	}, append(append([]string(nil), c.Args...), fmt.Sprintf("--total=%d", c.Total))...)
}

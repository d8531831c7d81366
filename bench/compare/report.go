package main

import (
	"fmt"
	"io"
	"slices"
	"time"
)

// report is everything that was measured.
type report struct {
	Machine machine  `json:"machine"`
	Rounds  int      `json:"rounds"`
	Members int      `json:"members"`
	Samples []sample `json:"samples"`
}

// row is one case: medians over the rounds, etcd's and ours.
type row struct {
	name      string
	perSecond [2]float64
	p50, p99  [2]time.Duration
	cpu       [2]time.Duration
}

func (r report) rows() []row {
	var rows []row
	for _, c := range cases {
		row := row{name: c.Name}
		complete := true
		for i, server := range servers {
			of := slices.DeleteFunc(slices.Clone(r.Samples), func(s sample) bool { return s.Server != server || s.Case != c.Name })
			if len(of) == 0 {
				complete = false
				break
			}
			row.perSecond[i] = median(of, func(s sample) float64 { return s.PerSecond })
			row.p50[i] = median(of, func(s sample) time.Duration { return s.P50 })
			row.p99[i] = median(of, func(s sample) time.Duration { return s.P99 })
			row.cpu[i] = median(of, func(s sample) time.Duration { return s.CPUPerOp })
		}
		if complete {
			rows = append(rows, row)
		}
	}
	return rows
}

// median of an even number is the mean of the middle two.
func median[V float64 | time.Duration](samples []sample, of func(sample) V) V {
	values := make([]V, len(samples))
	for i, s := range samples {
		values[i] = of(s)
	}
	slices.Sort(values)
	middle := len(values) / 2
	if len(values)%2 == 1 {
		return values[middle]
	}
	return (values[middle-1] + values[middle]) / 2
}

// Markdown writes the tables as they stand in docs/benchmarks.md.
func (r report) Markdown(w io.Writer) {
	fmt.Fprintf(w, "%s\n\n", r.Machine)
	fmt.Fprintf(w, "%d members of each server on loopback, fsync on, %d interleaved rounds, medians; ratio = Holdfast ÷ etcd.\n\n", r.Members, r.Rounds)
	fmt.Fprintln(w, "| case | req/s etcd | req/s Holdfast | ratio | p50 etcd | p50 Holdfast | p99 etcd | p99 Holdfast | server CPU/op etcd | server CPU/op Holdfast | ratio |")
	fmt.Fprintln(w, "|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|")
	for _, row := range r.rows() {
		fmt.Fprintf(w, "| %s | %.0f | %.0f | **%.2f** | %s | %s | %s | %s | %s | %s | **%.2f** |\n", row.name,
			row.perSecond[0], row.perSecond[1], row.perSecond[1]/row.perSecond[0],
			ms(row.p50[0]), ms(row.p50[1]), ms(row.p99[0]), ms(row.p99[1]),
			µs(row.cpu[0]), µs(row.cpu[1]), float64(row.cpu[1])/float64(row.cpu[0]))
	}
}

func ms(d time.Duration) string { return fmt.Sprintf("%.2f ms", float64(d)/float64(time.Millisecond)) }
func µs(d time.Duration) string {
	return fmt.Sprintf("%.0f µs", float64(d)/float64(time.Microsecond))
}

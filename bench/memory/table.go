package main

import (
	"fmt"
	"io"
	"time"
)

func markdown(w io.Writer, results []result) {
	fmt.Fprintln(w, "| server | load | resident, loaded | peak | restart after stop | restart after SIGKILL | resident, restarted | peak | data folder |")
	fmt.Fprintln(w, "|---|--:|--:|--:|--:|--:|--:|--:|--:|")
	for _, r := range results {
		fmt.Fprintf(w, "| %s | %s | %s | %s | %s | %s | %s | %s | %s |\n", r.Server, seconds(r.LoadTook),
			mib(r.Loaded), mib(r.LoadPeak), seconds(r.AfterStop), seconds(r.AfterKill), mib(r.Restarted), mib(r.RestartPeak), mib(r.DataDirBytes))
	}
}

func mib(bytes int64) string         { return fmt.Sprintf("%.0f MiB", float64(bytes)/(1<<20)) }
func seconds(d time.Duration) string { return fmt.Sprintf("%.2f s", d.Seconds()) }

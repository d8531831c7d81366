package linearizability

import "time"

// Options of a check. The zero value is the usual.
type Options struct {
	// LeasesExpire allows revisions that nobody asked for if they delete exactly
	// the keys of one lease. Set it if the workload uses leases.
	LeasesExpire bool
	// PerKeyTimeout bounds Porcupine's search over all keys. 20 s.
	PerKeyTimeout time.Duration
	// Windows is how many full-state windows are checked, spread over the
	// history. 4; negative: none.
	Windows int
	// WindowOperations bounds the operations of a window. 500.
	WindowOperations int
	// WindowTimeout bounds the search in one. 10 s.
	WindowTimeout time.Duration
	// NoSearch leaves out both searches of Porcupine: what is left takes one look
	// at each operation.
	NoSearch bool
}

func (o *Options) setDefaults() {
	if o.PerKeyTimeout <= 0 {
		o.PerKeyTimeout = 20 * time.Second
	}
	if o.Windows == 0 {
		o.Windows = 4
	}
	if o.WindowOperations <= 0 {
		o.WindowOperations = 500
	}
	if o.WindowTimeout <= 0 {
		o.WindowTimeout = 10 * time.Second
	}
}

// Check runs all checks. If the witness finds no order, those that build on it
// (real time, watches, windows) are left out; the per-key search runs all the same.
// The timeouts are in real time, also for a history in virtual time.
func Check(h *History, options Options) *Report {
	options.setDefaults()
	report := &Report{}
	replay, verdict := checkWitness(h, &options)
	report.Verdicts = append(report.Verdicts, verdict)
	if !verdict.Failed() {
		report.Verdicts = append(report.Verdicts, checkRealTime(h, replay), checkWatches(h, replay))
		if !options.NoSearch {
			report.Verdicts = append(report.Verdicts, checkWindows(h, replay, &options, report))
		}
	}
	if options.NoSearch {
		return report
	}
	_, verdict = checkPerKey(h, &options)
	report.Verdicts = append(report.Verdicts, verdict)
	return report
}

// Reconstruct replays the history by its revisions, as the witness does. The
// error is the witness's verdict; the replay then reaches as far as it holds.
func Reconstruct(h *History, options Options) (*Replay, error) {
	options.setDefaults()
	replay, verdict := checkWitness(h, &options)
	report := Report{Verdicts: []Verdict{verdict}}
	return replay, report.Err()
}

package server

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// peerCollector reads the links' own counters.
type peerCollector struct{ b *backend }

func peerDesc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc(name, help, labels, nil)
}

var (
	peerKnown     = peerDesc("etcd_network_known_peers", "The current number of known peers.", "Local", "Remote")
	peerActive    = peerDesc("etcd_network_active_peers", "The current number of active peer connections.", "Local", "Remote")
	peerSent      = peerDesc("etcd_network_peer_sent_bytes_total", "The total number of bytes sent to peers.", "To")
	peerReceived  = peerDesc("etcd_network_peer_received_bytes_total", "The total number of bytes received from peers.", "From")
	peerDropped   = peerDesc("etcd_network_peer_sent_failures_total", "The total number of messages to peers that were dropped.", "To")
	peerMalformed = peerDesc("etcd_network_peer_received_failures_total", "The total number of receive failures from peers.", "From")
	peerTrip      = peerDesc("holdfast_peer_round_trip_seconds", "The last ping's round trip to a peer.", "To")
)

// Describe implements prometheus.Collector.
func (peerCollector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{peerKnown, peerActive, peerSent, peerReceived, peerDropped, peerMalformed, peerTrip} {
		ch <- d
	}
}

// Collect implements prometheus.Collector.
func (c peerCollector) Collect(ch chan<- prometheus.Metric) {
	local := hex(c.b.settings.member)
	counter := func(d *prometheus.Desc, v uint64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(v), labels...)
	}
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	gauge(peerKnown, 1, local, local) // as etcd, a member knows itself
	for _, p := range c.b.driver.network.Stats() {
		id := p.ID.String()
		gauge(peerKnown, 1, local, id)
		gauge(peerActive, flag(p.Connected), local, id)
		counter(peerSent, p.BytesSent, id)
		counter(peerReceived, p.BytesReceived, id)
		counter(peerDropped, p.FramesDropped, id)
		counter(peerMalformed, 0, id) // a malformed frame ends its connection, which is counted there
		gauge(peerTrip, p.RoundTrip.Seconds(), id)
	}
}

// roundTripEvery is how often round trips are looked at; links ping at twice the
// pace, so that each value counts once at most.
const roundTripEvery = time.Second

// sampleRoundTrips feeds the histogram until the member stops.
func (b *backend) sampleRoundTrips() {
	ticker := time.NewTicker(roundTripEvery)
	defer ticker.Stop()
	for {
		select {
		case <-b.stopped:
			return
		case <-ticker.C:
			for _, p := range b.driver.network.Stats() {
				if p.Connected && p.RoundTrip > 0 {
					b.metrics.times.roundTrips.WithLabelValues(p.ID.String()).Observe(p.RoundTrip.Seconds())
				}
			}
		}
	}
}

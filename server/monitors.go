package server

import (
	"errors"
	"net/http"
)

// metricsHandler is what --listen-metrics-urls shows: probes and metrics, and
// nothing of the data.
func (b *backend) metricsHandler() http.Handler {
	mux := http.NewServeMux()
	b.handleProbes(mux)
	return mux
}

// serveMonitors answers on the addresses for metrics, from the start: who watches
// a member wants to see that it isn't ready, and why.
func (s *Server) serveMonitors() {
	s.monitors = &http.Server{
		Handler: s.backend.metricsHandler(), ReadHeaderTimeout: handshakeTimeout, ErrorLog: quietLog(s.log),
	}
	for _, l := range s.monitorListeners {
		s.log.Info("serving metrics", "address", l.Addr().String())
		s.work.Go(func() {
			if err := s.monitors.Serve(l); err != nil && !errors.Is(err, http.ErrServerClosed) {
				s.log.Warn("the server for metrics ended", "reason", err.Error())
			}
		})
	}
}

// MetricsAddrs are the addresses that metrics are served on besides those of
// clients.
func (s *Server) MetricsAddrs() (out []string) {
	for _, l := range s.monitorListeners {
		out = append(out, l.Addr().String())
	}
	return out
}

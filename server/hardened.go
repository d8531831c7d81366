package server

import "time"

// limits are bounds on what one client may cost that no flag of etcd sets.
type limits struct {
	headerBytes   int           // of a request
	writeStall    time.Duration // see clientConn
	noReverseDNS  bool          // in the check of peers' addresses
	responseBytes int64         // of one response, chunks of a RangeStream apart; 0: no bound
	watchers      int           // of one connection; 0: no bound
	requests      int           // unary ones that a user, or a machine, has under way; 0: no bound
}

// etcdLimits leave room for whatever works with etcd.
var etcdLimits = limits{headerBytes: headerBytesMax, writeStall: writeStall}

// harden applies --hardened: values stricter than etcd's, together. What the
// operator has set lower stays.
func (s *settings) harden() error {
	s.limits = etcdLimits
	if !s.Hardened {
		return nil
	}
	s.limits = limits{headerBytes: 16 << 10, writeStall: 20 * time.Second, noReverseDNS: true, responseBytes: 128 << 20, watchers: 10_000, requests: 1000}
	s.MaxConcurrentStreams = min(s.MaxConcurrentStreams, 1000)
	if s.TLSMinVersion != "TLS1.3" && s.TLSMaxVersion != "TLS1.2" && s.CipherSuites == "" {
		s.TLSMinVersion = "TLS1.3"
	}
	return nil
}

package server

// TLS is what --cert-file and its kin say for one of the two planes: clients, or
// with the prefix "peer-" other members. Files are PEM (the CRL: DER or PEM) and
// may be replaced while the member runs: what a new connection meets is what the
// files say then.
type TLS struct {
	CertFile, KeyFile string
	// ClientCertFile and ClientKeyFile are shown where this member dials; "" means
	// CertFile and KeyFile.
	ClientCertFile, ClientKeyFile string
	// TrustedCAFile verifies the other side. With it, or with ClientCertAuth, every
	// client needs a certificate.
	TrustedCAFile  string
	ClientCertAuth bool
	// CRLFile lists serial numbers that are refused; "" means none.
	CRLFile string
	// Auto makes a self-signed pair if CertFile is "": encryption without proof of
	// who is at the other end.
	Auto bool
	// AllowedCN and AllowedHostname are lists of which a client's certificate has to
	// carry one. They exclude each other.
	AllowedCN, AllowedHostname string
	// SkipSANVerification lets a peer connect from an address that its certificate
	// does not name.
	SkipSANVerification bool
}

package main

import (
	"github.com/spf13/pflag"

	"github.com/holdfast-db/holdfast/server"
)

// bindTLSFlags defines etcd's security flags.
func bindTLSFlags(fs *pflag.FlagSet, c *server.Config) {
	client, peer := &c.ClientTLS, &c.PeerTLS
	fs.StringVar(&client.CertFile, "cert-file", "", "certificate (chain) shown to clients, PEM")
	fs.StringVar(&client.KeyFile, "key-file", "", "its private key, PEM")
	fs.StringVar(&client.ClientCertFile, "client-cert-file", "", "certificate shown where this member is a client (default: cert-file)")
	fs.StringVar(&client.ClientKeyFile, "client-key-file", "", "its private key")
	fs.BoolVar(&client.ClientCertAuth, "client-cert-auth", false, "clients need a certificate signed by trusted-ca-file")
	fs.StringVar(&client.CRLFile, "client-crl-file", "", "revoked certificates, DER or PEM; read again when it changes")
	fs.StringVar(&client.AllowedHostname, "client-cert-allowed-hostname", "", "names or addresses of which a client's certificate has to have one")
	fs.StringVar(&client.TrustedCAFile, "trusted-ca-file", "", "CA certificates that sign clients' certificates, PEM")
	fs.BoolVar(&client.Auto, "auto-tls", false, "make a self-signed certificate for clients if none is given")

	fs.StringVar(&peer.CertFile, "peer-cert-file", "", "certificate (chain) shown to other members, PEM")
	fs.StringVar(&peer.KeyFile, "peer-key-file", "", "its private key, PEM")
	fs.StringVar(&peer.ClientCertFile, "peer-client-cert-file", "", "certificate shown when dialling other members (default: peer-cert-file)")
	fs.StringVar(&peer.ClientKeyFile, "peer-client-key-file", "", "its private key")
	fs.BoolVar(&peer.ClientCertAuth, "peer-client-cert-auth", false, "members need a certificate signed by peer-trusted-ca-file")
	fs.StringVar(&peer.TrustedCAFile, "peer-trusted-ca-file", "", "CA certificates that sign members' certificates, PEM")
	fs.StringVar(&peer.CRLFile, "peer-crl-file", "", "revoked certificates of members, DER or PEM")
	fs.StringVar(&peer.AllowedCN, "peer-cert-allowed-cn", "", "common names of which a member's certificate has to have one")
	fs.StringVar(&peer.AllowedHostname, "peer-cert-allowed-hostname", "", "names or addresses of which a member's certificate has to have one")
	fs.BoolVar(&peer.SkipSANVerification, "peer-skip-client-san-verification", false, "let members connect from addresses that their certificate does not name")
	fs.BoolVar(&peer.Auto, "peer-auto-tls", false, "make a self-signed certificate for members if none is given")

	fs.UintVar(&c.SelfSignedCertYears, "self-signed-cert-validity", c.SelfSignedCertYears, "years that a self-signed certificate is valid")
	fs.StringVar(&c.CipherSuites, "cipher-suites", "", "TLS 1.2 cipher suites by Go's names, separated by commas (default: Go's choice)")
	fs.StringVar(&c.TLSMinVersion, "tls-min-version", c.TLSMinVersion, "TLS1.2 or TLS1.3")
	fs.StringVar(&c.TLSMaxVersion, "tls-max-version", c.TLSMaxVersion, "TLS1.2 or TLS1.3 (default: the newest)")
}

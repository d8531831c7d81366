package torture

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/holdfast-db/holdfast/internal/pki"
	"github.com/holdfast-db/holdfast/internal/proc"
)

// certificateLife outlasts any run.
const certificateLife = 30 * 24 * time.Hour

// tlsDir is where a member has its certificates, in its own folder: a machine has files of its own.
const tlsDir = "tls"

// secureArgs are flags of a member that shows a certificate to everybody and demands one of everybody. Files are named
// from the member's folder on. Passwords are hashed cheaply: it is not bcrypt that is tortured, and each watch logs in.
func secureArgs(c Config) []string {
	if !c.Secure {
		return nil
	}
	return []string{
		"--cert-file=tls/server.crt", "--key-file=tls/server.key", "--client-cert-auth", "--trusted-ca-file=tls/ca.crt",
		"--client-crl-file=tls/revoked.crl", "--peer-cert-file=tls/peer.crt", "--peer-key-file=tls/peer.key",
		"--peer-client-cert-auth", "--peer-trusted-ca-file=tls/ca.crt", "--peer-crl-file=tls/revoked.crl", "--bcrypt-cost=4",
	}
}

// office issues certificates to members and clients, from one authority after the other. Members read theirs from
// files, which are replaced while they run; clients ask the office at each handshake. Methods may be called from
// several goroutines.
type office struct {
	mu      sync.Mutex
	issuer  *pki.Authority
	founded int
	trusted []*pki.Authority // by members and clients, oldest first; the issuer is among them
	revoked []*x509.Certificate
	clients map[string]*tls.Certificate // by common name
}

func newOffice() (*office, error) {
	o := &office{clients: map[string]*tls.Certificate{}}
	return o, o.found()
}

// found makes an authority, which issues from now on and is trusted besides the others.
func (o *office) found() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.founded++
	ca, err := pki.NewAuthority(fmt.Sprintf("authority %d", o.founded), time.Now(), certificateLife)
	if err != nil {
		return err
	}
	o.issuer, o.trusted = ca, append(o.trusted, ca)
	return nil
}

// closeOld drops all authorities but the one that issues. Members know once they are furnished.
func (o *office) closeOld() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.trusted = []*pki.Authority{o.issuer}
}

// furnish writes all that a member needs into its folder: whom to trust, whom no more, and, with fresh, pairs of its
// own from the present issuer.
func (o *office) furnish(m *proc.Member, fresh bool) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	dir := filepath.Join(m.Dir, tlsDir)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	if err := o.writeTrust(dir); err != nil || !fresh {
		return err
	}
	hosts := []string{m.Host(), "localhost"}
	for name, r := range map[string]pki.Request{
		"server": {CommonName: "server", Hosts: hosts, Server: true},
		"peer":   {CommonName: "peer", Hosts: hosts, Server: true, Client: true},
	} {
		r.Valid = certificateLife
		pair, err := o.issuer.Issue(r, time.Now())
		if err != nil {
			return err
		}
		if err := pair.Write(filepath.Join(dir, name+".crt"), filepath.Join(dir, name+".key")); err != nil {
			return err
		}
	}
	return nil
}

func (o *office) writeTrust(dir string) error {
	var bundle []byte
	for _, ca := range o.trusted {
		pair, err := ca.Pair()
		if err != nil {
			return err
		}
		bundle = append(bundle, pair.Cert...)
	}
	list, err := o.issuer.Revoke(o.revoked, time.Now(), certificateLife)
	if err != nil {
		return err
	}
	if err := pki.Replace(filepath.Join(dir, "revoked.crl"), list, 0o644); err != nil {
		return err
	}
	return pki.Replace(filepath.Join(dir, "ca.crt"), bundle, 0o644)
}

// admit gives a client its certificate, in place of the one that it had, which is returned; nil if it had none.
func (o *office) admit(user string) (old *tls.Certificate, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	pair, err := o.issuer.Issue(pki.Request{CommonName: user, Client: true, Valid: certificateLife}, time.Now())
	if err != nil {
		return nil, err
	}
	cert, err := tls.X509KeyPair(pair.Cert, pair.Key)
	if err != nil {
		return nil, err
	}
	old = o.clients[user]
	o.clients[user] = &cert
	return old, nil
}

// revoke puts a certificate on the list. Members know once they are furnished.
func (o *office) revoke(cert *tls.Certificate) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.revoked = append(o.revoked, cert.Leaf)
}

// config is what a client of that name connects with: at each handshake the certificate that it then has, and the
// authorities that are then trusted.
func (o *office) config(user string) *tls.Config {
	return o.configWith(func() *tls.Certificate {
		o.mu.Lock()
		defer o.mu.Unlock()
		return o.clients[user]
	})
}

// configWith shows a certificate that the office may have withdrawn. RootCAs of crypto/tls can't change, so the chain
// is verified here.
func (o *office) configWith(mine func() *tls.Certificate) *tls.Config {
	return &tls.Config{
		GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return mine(), nil },
		InsecureSkipVerify:   true, // VerifyConnection does it
		VerifyConnection:     o.verify,
	}
}

func (o *office) verify(s tls.ConnectionState) error {
	roots := x509.NewCertPool()
	o.mu.Lock()
	for _, ca := range o.trusted {
		roots.AddCert(ca.Cert)
	}
	o.mu.Unlock()
	_, err := s.PeerCertificates[0].Verify(x509.VerifyOptions{DNSName: s.ServerName, Roots: roots})
	return err
}

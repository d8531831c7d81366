package pki

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"math/big"
	"time"
)

// backdate is by how much a certificate is valid before it was made, for
// machines whose clocks are late.
const backdate = 5 * time.Minute

// Authority signs certificates.
type Authority struct {
	Cert *x509.Certificate
	Key  crypto.Signer
}

// NewAuthority makes an authority whose certificate ends after valid.
func NewAuthority(name string, now time.Time, valid time.Duration) (*Authority, error) {
	key, err := newKey()
	if err != nil {
		return nil, err
	}
	template := template(name, now, valid)
	template.IsCA, template.BasicConstraintsValid = true, true
	template.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageCRLSign | x509.KeyUsageDigitalSignature
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, fmt.Errorf("pki: authority: %w", err)
	}
	cert, err := x509.ParseCertificate(der)
	return &Authority{Cert: cert, Key: key}, err
}

// Request describes a certificate to be signed.
type Request struct {
	// CommonName is the user's name where a client's certificate logs it in.
	CommonName string
	// Hosts are the names and IP addresses that it is valid for.
	Hosts []string
	// Server and Client are what it may be used for.
	Server, Client bool
	Valid          time.Duration
}

// Issue signs a certificate for a new key.
func (a *Authority) Issue(r Request, now time.Time) (*Pair, error) {
	return issue(r, now, a.Cert, a.Key)
}

// SelfSigned makes a pair that vouches for itself only.
func SelfSigned(r Request, now time.Time) (*Pair, error) { return issue(r, now, nil, nil) }

func issue(r Request, now time.Time, parent *x509.Certificate, signer crypto.Signer) (*Pair, error) {
	key, err := newKey()
	if err != nil {
		return nil, err
	}
	t := template(r.CommonName, now, r.Valid)
	t.KeyUsage = x509.KeyUsageDigitalSignature
	t.IPAddresses, t.DNSNames = splitHosts(r.Hosts)
	if r.Server {
		t.ExtKeyUsage = append(t.ExtKeyUsage, x509.ExtKeyUsageServerAuth)
	}
	if r.Client {
		t.ExtKeyUsage = append(t.ExtKeyUsage, x509.ExtKeyUsageClientAuth)
	}
	if parent == nil {
		parent, signer = t, key
	} else if t.NotAfter.After(parent.NotAfter) {
		t.NotAfter = parent.NotAfter // nothing outlives who vouches for it
	}
	der, err := x509.CreateCertificate(rand.Reader, t, parent, key.Public(), signer)
	if err != nil {
		return nil, fmt.Errorf("pki: certificate for %q: %w", r.CommonName, err)
	}
	return newPair(der, key)
}

// Revoke makes a list, in DER, of all given certificates. Its number is the
// time, so that later lists replace earlier ones.
func (a *Authority) Revoke(certs []*x509.Certificate, now time.Time, valid time.Duration) ([]byte, error) {
	list := &x509.RevocationList{Number: big.NewInt(now.UnixNano()), ThisUpdate: now.Add(-backdate), NextUpdate: now.Add(valid)}
	for _, c := range certs {
		list.RevokedCertificateEntries = append(list.RevokedCertificateEntries,
			x509.RevocationListEntry{SerialNumber: c.SerialNumber, RevocationTime: now})
	}
	der, err := x509.CreateRevocationList(rand.Reader, list, a.Cert, a.Key)
	if err != nil {
		return nil, fmt.Errorf("pki: revocation list: %w", err)
	}
	return der, nil
}

func newKey() (crypto.Signer, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("pki: key: %w", err)
	}
	return key, nil
}

func template(name string, now time.Time, valid time.Duration) *x509.Certificate {
	var serial [16]byte
	_, _ = rand.Read(serial[:]) // never fails (crypto/rand)
	serial[0] &= 0x7f           // a positive number
	return &x509.Certificate{
		SerialNumber: new(big.Int).SetBytes(serial[:]),
		Subject:      pkix.Name{Organization: []string{"holdfast"}, CommonName: name},
		NotBefore:    now.Add(-backdate),
		NotAfter:     now.Add(valid),
	}
}

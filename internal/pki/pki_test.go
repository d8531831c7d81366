package pki

import (
	"crypto/x509"
	"encoding/pem"
	"os"
	"path/filepath"
	"testing"
	"time"
)

const year = 365 * 24 * time.Hour

func authority(t *testing.T, valid time.Duration) *Authority {
	t.Helper()
	a, err := NewAuthority("test CA", time.Now(), valid)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func parse(t *testing.T, p *Pair) *x509.Certificate {
	t.Helper()
	block, _ := pem.Decode(p.Cert)
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

// TestIssue: what the authority signs is valid for its hosts, its use and its
// time, and for nothing else.
func TestIssue(t *testing.T) {
	a := authority(t, year)
	pair, err := a.Issue(Request{CommonName: "n1", Hosts: []string{"10.0.0.1", "::1", "n1.example", ""}, Server: true, Valid: 10 * year}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	cert := parse(t, pair)
	roots := x509.NewCertPool()
	roots.AddCert(a.Cert)
	for _, c := range []struct {
		name  string
		host  string
		usage x509.ExtKeyUsage
		at    time.Time
		ok    bool
	}{
		{"address", "10.0.0.1", x509.ExtKeyUsageServerAuth, time.Now(), true},
		{"IPv6 address", "::1", x509.ExtKeyUsageServerAuth, time.Now(), true},
		{"name", "n1.example", x509.ExtKeyUsageServerAuth, time.Now(), true},
		{"a late clock", "n1.example", x509.ExtKeyUsageServerAuth, time.Now().Add(-backdate / 2), true},
		{"another name", "n2.example", x509.ExtKeyUsageServerAuth, time.Now(), false},
		{"another use", "n1.example", x509.ExtKeyUsageClientAuth, time.Now(), false},
		{"outlives the authority", "n1.example", x509.ExtKeyUsageServerAuth, time.Now().Add(2 * year), false},
		{"too early", "n1.example", x509.ExtKeyUsageServerAuth, time.Now().Add(-time.Hour), false},
	} {
		_, err := cert.Verify(x509.VerifyOptions{DNSName: c.host, Roots: roots, KeyUsages: []x509.ExtKeyUsage{c.usage}, CurrentTime: c.at})
		if (err == nil) != c.ok {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	if cert.NotAfter.After(a.Cert.NotAfter) {
		t.Error("the certificate outlives its authority")
	}
	if cert.IsCA {
		t.Error("an issued certificate can sign others")
	}
}

// TestFiles: an authority comes back from its files; keys are for their owner.
func TestFiles(t *testing.T) {
	dir := t.TempDir()
	certFile, keyFile := filepath.Join(dir, "ca.crt"), filepath.Join(dir, "ca.key")
	a := authority(t, year)
	pair, err := a.Pair()
	if err != nil {
		t.Fatal(err)
	}
	for range 2 { // the second time over the first one's files
		if err := pair.Write(certFile, keyFile); err != nil {
			t.Fatal(err)
		}
	}
	if info, err := os.Stat(keyFile); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("key file: %v, %v", info.Mode(), err)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, ".*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
	again, err := LoadAuthority(certFile, keyFile)
	if err != nil || !again.Cert.Equal(a.Cert) {
		t.Fatalf("%v", err)
	}
	leaf, err := again.Issue(Request{CommonName: "x", Valid: year}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if err := leaf.Write(certFile, keyFile); err != nil {
		t.Fatal(err)
	}
	if _, err := LoadAuthority(certFile, keyFile); err == nil {
		t.Error("a leaf passes as an authority")
	}
	if _, err := LoadCertificate(keyFile); err == nil {
		t.Error("a key passes as a certificate")
	}
}

// TestRevoke: a list is signed by the authority and names the serial numbers.
func TestRevoke(t *testing.T) {
	a := authority(t, year)
	pair, err := SelfSigned(Request{CommonName: "x", Valid: year}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	gone := parse(t, pair)
	der, err := a.Revoke([]*x509.Certificate{gone}, time.Now(), year)
	if err != nil {
		t.Fatal(err)
	}
	list, err := x509.ParseRevocationList(der)
	if err != nil {
		t.Fatal(err)
	}
	if err := list.CheckSignatureFrom(a.Cert); err != nil {
		t.Error(err)
	}
	if len(list.RevokedCertificateEntries) != 1 || list.RevokedCertificateEntries[0].SerialNumber.Cmp(gone.SerialNumber) != 0 {
		t.Errorf("%+v", list.RevokedCertificateEntries)
	}
}

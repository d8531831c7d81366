package pki

import (
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
)

// Pair is a certificate and its private key, in PEM.
type Pair struct {
	Cert, Key []byte
}

func newPair(der []byte, key crypto.Signer) (*Pair, error) {
	private, err := encodeKey(key)
	if err != nil {
		return nil, err
	}
	return &Pair{Cert: encodeCert(der), Key: private}, nil
}

func encodeCert(der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

func encodeKey(key crypto.Signer) ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("pki: key: %w", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), nil
}

// Pair is the authority's own certificate and key.
func (a *Authority) Pair() (*Pair, error) { return newPair(a.Cert.Raw, a.Key) }

// Write replaces both files, the key's with mode 0600, the certificate's last:
// it is what makes a reader look.
func (p *Pair) Write(certFile, keyFile string) error {
	if err := Replace(keyFile, p.Key, 0o600); err != nil {
		return err
	}
	return Replace(certFile, p.Cert, 0o644)
}

// Replace writes a file beside its place and renames it into it.
func Replace(path string, content []byte, mode os.FileMode) error {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-*")
	if err != nil {
		return fmt.Errorf("pki: %w", err)
	}
	defer os.Remove(f.Name()) // nothing, once it was renamed
	_, err = f.Write(content)
	err = errors.Join(err, f.Chmod(mode), f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return fmt.Errorf("pki: write %s: %w", path, err)
	}
	return nil
}

// LoadAuthority reads an authority that Write has written.
func LoadAuthority(certFile, keyFile string) (*Authority, error) {
	pair, err := tls.LoadX509KeyPair(certFile, keyFile)
	if err != nil {
		return nil, fmt.Errorf("pki: authority %s, %s: %w", certFile, keyFile, err)
	}
	signer, ok := pair.PrivateKey.(crypto.Signer)
	if !ok || !pair.Leaf.IsCA {
		return nil, fmt.Errorf("pki: %s is no certificate authority", certFile)
	}
	return &Authority{Cert: pair.Leaf, Key: signer}, nil
}

// LoadCertificate reads the first certificate of a PEM file.
func LoadCertificate(path string) (*x509.Certificate, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("pki: %w", err)
	}
	block, _ := pem.Decode(content)
	if block == nil || block.Type != "CERTIFICATE" {
		return nil, fmt.Errorf("pki: %s holds no certificate in PEM", path)
	}
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("pki: %s: %w", path, err)
	}
	return cert, nil
}

// splitHosts tells addresses from names.
func splitHosts(hosts []string) (addresses []net.IP, names []string) {
	for _, h := range hosts {
		if ip := net.ParseIP(h); ip != nil {
			addresses = append(addresses, ip)
		} else if h != "" {
			names = append(names, h)
		}
	}
	return addresses, names
}

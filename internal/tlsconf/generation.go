package tlsconf

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"os"
	"time"
)

// generation is what the files held at one moment. It never changes.
type generation struct {
	pair    *tls.Certificate // what a listener shows
	dialing *tls.Certificate // what we show when we dial
	ca      *x509.CertPool   // nil: the machine's
	revoked map[string]bool  // serial numbers, as big-endian bytes
	// listEnds is when the revocation list wants to be replaced; zero: never.
	listEnds time.Time
	server   *tls.Config
}

// stampCoarse is by how much a file system's times may be late.
const stampCoarse = 2 * time.Second

// stamp tells whether a file changed.
type stamp struct {
	size    int64
	changed time.Time
	missing bool
}

func stampOf(path string) stamp {
	if path == "" {
		return stamp{}
	}
	info, err := os.Stat(path)
	if err != nil {
		return stamp{missing: true}
	}
	return stamp{size: info.Size(), changed: info.ModTime()}
}

// stamps are of the files in the order that Files has them.
type stamps [6]stamp

func (f *Files) paths() [6]string {
	return [6]string{f.Cert, f.Key, f.ClientCert, f.ClientKey, f.CA, f.CRL}
}

func (f *Files) stamps() (out stamps) {
	for i, path := range f.paths() {
		out[i] = stampOf(path)
	}
	return out
}

// contents are those of the files, in the same order; nil for one that isn't used.
type contents [6][]byte

func (c *contents) equal(other *contents) bool {
	for i := range c {
		if !bytes.Equal(c[i], other[i]) {
			return false
		}
	}
	return true
}

func (f *Files) read() (out contents, err error) {
	for i, path := range f.paths() {
		if path == "" {
			continue
		}
		if out[i], err = os.ReadFile(path); err != nil {
			return out, err // it names the file
		}
	}
	return out, nil
}

func (f *Files) parse(c *contents) (*generation, error) {
	g := &generation{}
	var err error
	if g.pair, err = parsePair(c[0], c[1], f.Cert, f.Key); err != nil {
		return nil, err
	}
	g.dialing = g.pair
	if f.ClientCert != "" {
		if g.dialing, err = parsePair(c[2], c[3], f.ClientCert, f.ClientKey); err != nil {
			return nil, err
		}
	}
	if f.CA != "" {
		if g.ca, err = parsePool(c[4], f.CA); err != nil {
			return nil, err
		}
	}
	if f.CRL != "" {
		if g.revoked, g.listEnds, err = parseRevoked(c[5]); err != nil {
			return nil, fmt.Errorf("revocation list %s: %w", f.CRL, err)
		}
	}
	return g, nil
}

func parsePair(cert, key []byte, certFile, keyFile string) (*tls.Certificate, error) {
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return nil, fmt.Errorf("certificate %s with key %s: %w", certFile, keyFile, err)
	}
	return &pair, nil
}

func parsePool(content []byte, path string) (*x509.CertPool, error) {
	pool, count := x509.NewCertPool(), 0
	for block, rest := pem.Decode(content); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != "CERTIFICATE" {
			continue
		}
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("trusted CA %s: %w", path, err)
		}
		pool.AddCert(cert)
		count++
	}
	if count == 0 {
		return nil, fmt.Errorf("trusted CA %s holds no certificate in PEM", path)
	}
	return pool, nil
}

// parseRevoked reads one list in DER, or any number in PEM.
func parseRevoked(content []byte) (serials map[string]bool, ends time.Time, err error) {
	lists := [][]byte{content}
	if block, rest := pem.Decode(content); block != nil {
		lists = nil
		for ; block != nil; block, rest = pem.Decode(rest) {
			lists = append(lists, block.Bytes)
		}
	}
	serials = map[string]bool{}
	for _, der := range lists {
		list, err := x509.ParseRevocationList(der)
		if err != nil {
			return nil, ends, err
		}
		for _, entry := range list.RevokedCertificateEntries {
			serials[string(entry.SerialNumber.Bytes())] = true
		}
		if next := list.NextUpdate; !next.IsZero() && (ends.IsZero() || next.Before(ends)) {
			ends = next
		}
	}
	return serials, ends, nil
}

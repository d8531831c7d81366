package tlsconf

import (
	"os"
	"testing"
	"time"

	"github.com/holdfast-db/holdfast/internal/pki"
)

// FuzzFiles: the content of five files is a certificate that can be shown and those
// that are trusted, or an error that names what is wrong.
func FuzzFiles(f *testing.F) {
	ca, err := pki.NewAuthority("CA", time.Unix(0, 0), year)
	if err != nil {
		f.Fatal(err)
	}
	pair, err := ca.Issue(pki.Request{CommonName: "a", Hosts: []string{"a"}, Server: true, Client: true, Valid: year}, time.Unix(0, 0))
	if err != nil {
		f.Fatal(err)
	}
	dir := f.TempDir()
	if err := pair.Write(dir+"/crt", dir+"/key"); err != nil {
		f.Fatal(err)
	}
	cert, _ := os.ReadFile(dir + "/crt")
	key, _ := os.ReadFile(dir + "/key")
	crl, err := ca.Revoke(nil, time.Unix(0, 0), year)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(cert, key, cert, crl)
	f.Add(key, cert, []byte{}, []byte{})
	f.Add(append(append([]byte("junk\n"), cert...), cert...), key, []byte("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"), cert)
	files := Files{Cert: "crt", Key: "key", CA: "ca", CRL: "crl"}
	f.Fuzz(func(t *testing.T, cert, key, ca, crl []byte) {
		for _, c := range []contents{{cert, key, nil, nil, ca, crl}, {cert, key, nil, nil, cert, nil}} {
			g, err := files.parse(&c)
			if (g == nil) != (err != nil) || err != nil && err.Error() == "" {
				t.Fatalf("%v, %v", g, err)
			}
			if err == nil && (len(g.pair.Certificate) == 0 || g.pair.PrivateKey == nil || g.ca == nil || g.revoked == nil) {
				t.Fatalf("%+v", g)
			}
		}
	})
}

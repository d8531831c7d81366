package pki

import (
	"os"
	"path/filepath"
	"time"
)

// KeepSelfSigned finds the pair that an earlier start left in a folder, as
// cert.pem and key.pem, or makes one there if there is none that is still valid.
// made tells that it is new, and is true only if it was written.
func KeepSelfSigned(dir string, r Request, now time.Time) (certFile, keyFile string, made bool, err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", "", false, err
	}
	certFile, keyFile = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	if cert, err := LoadCertificate(certFile); err == nil && now.Before(cert.NotAfter) {
		if _, err := os.Stat(keyFile); err == nil {
			return certFile, keyFile, false, nil
		}
	}
	pair, err := SelfSigned(r, now)
	if err != nil {
		return "", "", false, err
	}
	err = pair.Write(certFile, keyFile)
	return certFile, keyFile, err == nil, err
}

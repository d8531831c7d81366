package main

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"

	"github.com/spf13/cobra"
)

// tlsFlags are a client's: whom it trusts, and what it shows.
type tlsFlags struct {
	cacert, cert, key string
	insecure          bool
}

func (f *tlsFlags) bind(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.cacert, "cacert", fromEnv("CACERT"), "CA certificates that sign the members', PEM ($HOLDFAST_CACERT)")
	cmd.Flags().StringVar(&f.cert, "cert", fromEnv("CERT"), "certificate to show, PEM ($HOLDFAST_CERT)")
	cmd.Flags().StringVar(&f.key, "key", fromEnv("KEY"), "its private key, PEM ($HOLDFAST_KEY)")
	cmd.Flags().BoolVar(&f.insecure, "insecure-skip-tls-verify", false, "talk to whoever answers under https://")
}

// fromEnv reads etcdctl's variable or ours, which wins.
func fromEnv(name string) (value string) {
	for _, prefix := range []string{"ETCDCTL_", "HOLDFAST_"} {
		if v := os.Getenv(prefix + name); v != "" {
			value = v
		}
	}
	return value
}

// config is nil if no flag asks for anything: then endpoints decide.
func (f *tlsFlags) config() (*tls.Config, error) {
	if *f == (tlsFlags{}) {
		return nil, nil
	}
	c := &tls.Config{MinVersion: tls.VersionTLS12, InsecureSkipVerify: f.insecure}
	if f.cacert != "" {
		content, err := os.ReadFile(f.cacert)
		if err != nil {
			return nil, fmt.Errorf("--cacert: %w", err)
		}
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM(content) {
			return nil, fmt.Errorf("--cacert: %s holds no certificate in PEM", f.cacert)
		}
	}
	if f.cert != "" || f.key != "" {
		pair, err := tls.LoadX509KeyPair(f.cert, f.key)
		if err != nil {
			return nil, fmt.Errorf("--cert, --key: %w", err)
		}
		c.Certificates = []tls.Certificate{pair}
	}
	return c, nil
}

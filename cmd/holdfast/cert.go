package main

import (
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/holdfast-db/holdfast/internal/pki"
)

const certHelp = `Make what TLS needs, in one folder:

  ca.crt ca.key          the authority that everybody trusts; keep ca.key offline
  server.crt server.key  what members show to clients
  peer.crt peer.key      what members show to each other, dialling and dialled
  client.crt client.key  what a client shows; its common name is the user

What exists is kept: --renew replaces all but the authority. Running members
take up replaced files with the next connection, without a restart, so renewing
every certificate of a cluster is this command and a copy.

Connections from a machine that peer.crt doesn't name are refused: --hosts has to
list the names and addresses of all members that use the files, or each member
gets its own with --ca.`

const certExample = `  # one set for a cluster on three machines
  holdfast cert tls --hosts 10.0.0.1,10.0.0.2,10.0.0.3,localhost,127.0.0.1

  # a member that uses it
  holdfast --cert-file tls/server.crt --key-file tls/server.key --client-cert-auth --trusted-ca-file tls/ca.crt \
    --peer-cert-file tls/peer.crt --peer-key-file tls/peer.key --peer-client-cert-auth --peer-trusted-ca-file tls/ca.crt \
    --listen-client-urls https://10.0.0.1:2379 --advertise-client-urls https://10.0.0.1:2379 \
    --listen-peer-urls https://10.0.0.1:2380 --initial-advertise-peer-urls https://10.0.0.1:2380 \
    --initial-cluster default=https://10.0.0.1:2380

  # a client that does
  holdfast put a 1 --endpoints https://10.0.0.1:2379 --cacert tls/ca.crt --cert tls/client.crt --key tls/client.key

  # another user's certificate from the same authority, and its end (members: --client-crl-file tls/revoked.crl)
  holdfast cert alice --ca tls --user alice
  holdfast cert tls --revoke alice/client.crt`

// caYears is how long an authority is valid.
const caYears = 10

const oneYear = 365 * 24 * time.Hour

type certFlags struct {
	hosts, user, ca string
	years           uint
	renew           bool
	revoke          []string
}

func newCert() *cobra.Command {
	f := &certFlags{}
	cmd := &cobra.Command{
		Use:     "cert DIR",
		Short:   "Make a CA and certificates for servers, peers and a client",
		Long:    certHelp,
		Example: certExample,
		Args:    cobra.ExactArgs(1),
	}
	cmd.Flags().StringVar(&f.hosts, "hosts", "localhost,127.0.0.1,::1", "names and addresses of the members")
	cmd.Flags().StringVar(&f.user, "user", "root", "common name of the client's certificate: the user it logs in as")
	cmd.Flags().UintVar(&f.years, "years", 1, "how long certificates are valid")
	cmd.Flags().StringVar(&f.ca, "ca", "", "folder with the ca.crt and ca.key to use (default: DIR)")
	cmd.Flags().BoolVar(&f.renew, "renew", false, "replace certificates that exist; the authority stays")
	cmd.Flags().StringSliceVar(&f.revoke, "revoke", nil, "make no certificates, add this one to DIR/revoked.crl")
	cmd.RunE = run(func(cmd *cobra.Command, args []string) error {
		if f.years == 0 {
			return exitWith(exitUsage, errors.New("--years must be >0"))
		}
		if len(f.revoke) > 0 {
			return f.addRevoked(cmd, args[0])
		}
		return f.makeAll(cmd, args[0])
	})
	return cmd
}

func (f *certFlags) makeAll(cmd *cobra.Command, dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	ca, err := f.authority(cmd, dir)
	if err != nil {
		return err
	}
	hosts := strings.Split(f.hosts, ",")
	for _, leaf := range []struct {
		name    string
		request pki.Request
	}{
		{"server", pki.Request{CommonName: "server", Hosts: hosts, Server: true}},
		{"peer", pki.Request{CommonName: "peer", Hosts: hosts, Server: true, Client: true}},
		{"client", pki.Request{CommonName: f.user, Client: true}},
	} {
		leaf.request.Valid = time.Duration(f.years) * oneYear
		if err := f.issue(cmd, ca, filepath.Join(dir, leaf.name), leaf.request); err != nil {
			return err
		}
	}
	return nil
}

// authority finds the one to use, or makes it.
func (f *certFlags) authority(cmd *cobra.Command, dir string) (*pki.Authority, error) {
	from := dir
	if f.ca != "" {
		from = f.ca
	}
	ca, err := pki.LoadAuthority(filepath.Join(from, "ca.crt"), filepath.Join(from, "ca.key"))
	switch {
	case err == nil && from == dir:
		return ca, tell(cmd, filepath.Join(dir, "ca.crt"), "kept", ca.Cert)
	case err == nil: // members need it beside the rest
		pair, err := ca.Pair()
		if err != nil {
			return nil, err
		}
		path := filepath.Join(dir, "ca.crt")
		return ca, errors.Join(pki.Replace(path, pair.Cert, 0o644), tell(cmd, path, "copied", ca.Cert))
	case f.ca != "" || !errors.Is(err, fs.ErrNotExist):
		return nil, err
	}
	return newAuthority(cmd, dir)
}

func newAuthority(cmd *cobra.Command, dir string) (*pki.Authority, error) {
	for _, name := range []string{"ca.crt", "ca.key"} { // half of one must not be overwritten
		if _, err := os.Stat(filepath.Join(dir, name)); err == nil {
			return nil, fmt.Errorf("%s is there without its other half; restore it, or remove both to begin anew", filepath.Join(dir, name))
		}
	}
	ca, err := pki.NewAuthority("holdfast CA", time.Now(), caYears*oneYear)
	if err != nil {
		return nil, err
	}
	pair, err := ca.Pair()
	if err != nil {
		return nil, err
	}
	if err := pair.Write(filepath.Join(dir, "ca.crt"), filepath.Join(dir, "ca.key")); err != nil {
		return nil, err
	}
	return ca, tell(cmd, filepath.Join(dir, "ca.crt"), "made", ca.Cert)
}

// issue makes PATH.crt and PATH.key.
func (f *certFlags) issue(cmd *cobra.Command, ca *pki.Authority, path string, r pki.Request) error {
	certFile, keyFile := path+".crt", path+".key"
	if old, err := pki.LoadCertificate(certFile); err == nil && !f.renew {
		return tell(cmd, certFile, "kept", old)
	}
	pair, err := ca.Issue(r, time.Now())
	if err != nil {
		return err
	}
	if err := pair.Write(certFile, keyFile); err != nil {
		return err
	}
	cert, err := pki.LoadCertificate(certFile)
	if err != nil {
		return err
	}
	return tell(cmd, certFile, "made", cert)
}

func tell(cmd *cobra.Command, path, what string, cert *x509.Certificate) error {
	names := append([]string{}, cert.DNSNames...)
	for _, ip := range cert.IPAddresses {
		names = append(names, ip.String())
	}
	about := ""
	if len(names) > 0 {
		about = " for " + strings.Join(names, ", ")
	}
	_, err := fmt.Fprintf(cmd.OutOrStdout(), "%-6s %s: %s%s, until %s\n", what, path, cert.Subject.CommonName, about, cert.NotAfter.UTC().Format(time.DateOnly))
	return err
}

// addRevoked adds certificates to the list beside the authority.
func (f *certFlags) addRevoked(cmd *cobra.Command, dir string) error {
	ca, err := pki.LoadAuthority(filepath.Join(dir, "ca.crt"), filepath.Join(dir, "ca.key"))
	if err != nil {
		return err
	}
	path := filepath.Join(dir, "revoked.crl")
	certs, err := revokedBefore(path)
	if err != nil {
		return err
	}
	for _, file := range f.revoke {
		cert, err := pki.LoadCertificate(file)
		if err != nil {
			return err
		}
		if err := cert.CheckSignatureFrom(ca.Cert); err != nil {
			return fmt.Errorf("%s was not signed by %s: %w", file, filepath.Join(dir, "ca.crt"), err)
		}
		certs = append(certs, cert)
	}
	list, err := ca.Revoke(certs, time.Now(), caYears*oneYear)
	if err != nil {
		return err
	}
	if err := pki.Replace(path, list, 0o644); err != nil {
		return err
	}
	_, err = fmt.Fprintf(cmd.OutOrStdout(), "made   %s: %d revoked\n", path, len(certs))
	return err
}

// revokedBefore reads the serial numbers of a list, which is all that the next
// one needs.
func revokedBefore(path string) (certs []*x509.Certificate, err error) {
	content, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	list, err := x509.ParseRevocationList(content)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	for _, entry := range list.RevokedCertificateEntries {
		certs = append(certs, &x509.Certificate{SerialNumber: entry.SerialNumber})
	}
	return certs, nil
}

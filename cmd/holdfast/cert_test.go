package main

import (
	"crypto/x509"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/holdfast-db/holdfast/internal/pki"
	"github.com/holdfast-db/holdfast/internal/servertest"
	"github.com/holdfast-db/holdfast/server"
)

// TestCert: one command makes a set with which a member and a client talk over
// TLS; renewing and revoking work on it.
func TestCert(t *testing.T) {
	dir := t.TempDir()
	in := func(name string) string { return filepath.Join(dir, "tls", name) }
	out, err := holdfast(t, "cert", filepath.Join(dir, "tls"))
	if err != nil || strings.Count(out, "made ") != 4 {
		t.Fatalf("%s, %v", out, err)
	}
	address, _ := servertest.Start(t, func(c *server.Config) {
		c.ClientTLS = server.TLS{CertFile: in("server.crt"), KeyFile: in("server.key"), TrustedCAFile: in("ca.crt"), ClientCertAuth: true}
		c.PeerTLS = server.TLS{CertFile: in("peer.crt"), KeyFile: in("peer.key"), TrustedCAFile: in("ca.crt"), ClientCertAuth: true}
		for _, u := range []*string{&c.ListenClientURLs, &c.AdvertiseClientURLs, &c.ListenPeerURLs, &c.InitialAdvertisePeerURLs} {
			*u = strings.Replace(*u, "http:", "https:", 1)
		}
		c.Logger = slog.New(slog.DiscardHandler)
	})
	flags := []string{"--endpoints", address, "--cacert", in("ca.crt"), "--cert", in("client.crt"), "--key", in("client.key")}
	if out, err := holdfast(t, append([]string{"put", "a", "1"}, flags...)...); err != nil {
		t.Fatalf("put over TLS: %s, %v", out, err)
	}
	if _, err := holdfast(t, "get", "a", "--endpoints", address, "--cacert", in("ca.crt"), "--timeout", "500ms"); err == nil {
		t.Error("get without a certificate")
	}

	before, err := os.ReadFile(in("server.crt"))
	if err != nil {
		t.Fatal(err)
	}
	if out, err := holdfast(t, "cert", filepath.Join(dir, "tls")); err != nil || strings.Count(out, "kept ") != 4 {
		t.Fatalf("again: %s, %v", out, err)
	}
	if out, err := holdfast(t, "cert", filepath.Join(dir, "tls"), "--renew", "--hosts", "127.0.0.1"); err != nil || strings.Count(out, "made ") != 3 {
		t.Fatalf("renew: %s, %v", out, err)
	}
	if after, _ := os.ReadFile(in("server.crt")); string(after) == string(before) {
		t.Error("--renew kept the certificate")
	}
	if out, err := holdfast(t, append([]string{"get", "a"}, flags...)...); err != nil || out != "1\n" {
		t.Errorf("with the renewed certificate: %q, %v", out, err)
	}
}

// TestCertRevoke: a list grows, and takes only what its authority signed.
func TestCertRevoke(t *testing.T) {
	dir := t.TempDir()
	tls, alice, other := filepath.Join(dir, "tls"), filepath.Join(dir, "alice"), filepath.Join(dir, "other")
	for _, args := range [][]string{
		{"cert", tls}, {"cert", alice, "--ca", tls, "--user", "alice"}, {"cert", other},
		{"cert", tls, "--revoke", filepath.Join(alice, "client.crt")},
		{"cert", tls, "--revoke", filepath.Join(tls, "client.crt")},
	} {
		if out, err := holdfast(t, args...); err != nil {
			t.Fatalf("%v: %s, %v", args, out, err)
		}
	}
	cert, err := pki.LoadCertificate(filepath.Join(alice, "client.crt"))
	if err != nil || cert.Subject.CommonName != "alice" {
		t.Fatalf("%v, %v", cert, err)
	}
	content, err := os.ReadFile(filepath.Join(tls, "revoked.crl"))
	if err != nil {
		t.Fatal(err)
	}
	list, err := x509.ParseRevocationList(content)
	if err != nil || len(list.RevokedCertificateEntries) != 2 || list.RevokedCertificateEntries[0].SerialNumber.Cmp(cert.SerialNumber) != 0 {
		t.Errorf("%+v, %v", list, err)
	}
	if _, err := holdfast(t, "cert", tls, "--revoke", filepath.Join(other, "client.crt")); err == nil {
		t.Error("another authority's certificate was revoked")
	}
	if err := os.Remove(filepath.Join(tls, "ca.key")); err != nil {
		t.Fatal(err)
	}
	if _, err := holdfast(t, "cert", tls); err == nil {
		t.Error("half an authority was overwritten")
	}
}

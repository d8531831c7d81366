package torture

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/url"
	"path/filepath"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/holdfast-db/holdfast/internal/pki"
	"github.com/holdfast-db/holdfast/internal/proc"
)

// The kinds of event that changes of who is who cause.
const (
	renewed   = "certificates"
	refounded = "authority"
	regranted = "permissions"
)

// renewTimeout bounds one member's taking up of what stands in its files, and one login.
const renewTimeout = 20 * time.Second

// renew gives every member in turn, then every client, a certificate in place of the one that it has. The clients'
// old ones are revoked, and must open no door from then on. Nothing is restarted.
func (n *nemesis) renew(context.Context) error {
	defer n.journal.begin(renewed, "new pairs for members and clients, the clients' old ones revoked", n.names(n.all()...)...)()
	if err := n.refurnish(true); err != nil {
		return err
	}
	old, err := n.readmit()
	if err != nil {
		return err
	}
	for _, cert := range old {
		n.office.revoke(cert)
	}
	if err := n.refurnish(false); err != nil {
		return err
	}
	return n.mustBeShut("a revoked certificate", old)
}

// refound replaces the authority in three steps, each member by member: the next one is trusted besides, everybody
// gets a certificate of it, the last one is trusted no more.
func (n *nemesis) refound(context.Context) error {
	defer n.journal.begin(refounded, "trusted besides, then issuing, then alone", n.names(n.all()...)...)()
	if err := n.office.found(); err != nil {
		return err
	}
	for _, fresh := range []bool{false, true} {
		if err := n.refurnish(fresh); err != nil {
			return err
		}
	}
	old, err := n.readmit()
	if err != nil {
		return err
	}
	n.office.closeOld()
	if err := n.refurnish(false); err != nil {
		return err
	}
	return n.mustBeShut("a certificate of the authority before", old)
}

// refurnish writes every member's files, one member after the other, and breaks all connections to it and from it, so
// that they are made anew with what the files hold. With fresh it waits until the member shows its new certificates.
func (n *nemesis) refurnish(fresh bool) error {
	for i, m := range n.cluster.Members {
		if err := n.office.furnish(m, fresh); err != nil {
			return err
		}
		n.network.hangUp(i)
		n.clients.lines.hangUp(hostOf(m.ClientURL))
		if err := n.showsItsFiles(m); err != nil {
			return err
		}
	}
	return nil
}

// showsItsFiles sees to it that a member shows at both its ports what its files hold.
func (n *nemesis) showsItsFiles(m *proc.Member) error {
	peer, err := tls.LoadX509KeyPair(filepath.Join(m.Dir, tlsDir, "peer.crt"), filepath.Join(m.Dir, tlsDir, "peer.key"))
	if err != nil {
		return err
	}
	for _, door := range []struct {
		file, url string
		config    *tls.Config
	}{
		{"server.crt", m.ClientURL, n.office.config(outsider)},
		{"peer.crt", m.ListenPeerURL, n.office.configWith(func() *tls.Certificate { return &peer })},
	} {
		want, err := pki.LoadCertificate(filepath.Join(m.Dir, tlsDir, door.file))
		if err != nil {
			return err
		}
		if err := n.shows(m, hostOf(door.url), door.config, want); err != nil {
			return err
		}
	}
	return nil
}

// shows waits until a member shows a certificate at an address; it may be starting.
func (n *nemesis) shows(m *proc.Member, address string, config *tls.Config, want *x509.Certificate) error {
	ctx, cancel := context.WithTimeout(context.Background(), renewTimeout)
	defer cancel()
	last := fmt.Errorf("no answer")
	for ctx.Err() == nil {
		state, err := shown(ctx, address, config)
		switch {
		case err != nil:
			last = err
		case state.PeerCertificates[0].Equal(want):
			return nil
		default:
			// Files are looked at with each handshake: there is nothing to wait for.
			return &brokenError{Unsafe, fmt.Errorf("%s shows at %s the certificate %v, its file holds %v", m.Name, address,
				state.PeerCertificates[0].SerialNumber, want.SerialNumber)}
		}
		pause(ctx, 50*time.Millisecond)
	}
	return &brokenError{NotBack, fmt.Errorf("%s shows no certificate at %s: %w", m.Name, address, last)}
}

// readmit gives every client a new certificate, and returns the old ones.
func (n *nemesis) readmit() (old []*tls.Certificate, err error) {
	for _, user := range []string{outsider, byCertificate} {
		cert, err := n.office.admit(user)
		if err != nil {
			return nil, err
		}
		old = append(old, cert)
	}
	for _, m := range n.cluster.Members {
		n.clients.lines.hangUp(hostOf(m.ClientURL))
	}
	return old, nil
}

// mustBeShut asks every member for a key with certificates that count no more.
func (n *nemesis) mustBeShut(what string, certs []*tls.Certificate) error {
	for _, m := range n.cluster.Members {
		for _, cert := range certs {
			if err := n.isShut(m, cert); err != nil {
				return &brokenError{Unsafe, fmt.Errorf("%s let in %s (%s)", m.Name, what, cert.Leaf.Subject.CommonName)}
			}
		}
	}
	return nil
}

// isShut fails if a request was answered, be it with a refusal: then the handshake was let through.
func (n *nemesis) isShut(m *proc.Member, cert *tls.Certificate) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	client, err := n.clients.dial(m.ClientURL, clientv3.Config{TLS: n.office.configWith(func() *tls.Certificate { return cert })})
	if err != nil {
		return nil
	}
	defer client.Close()
	if _, err := client.AuthStatus(ctx); err == nil {
		return fmt.Errorf("answered")
	}
	return nil
}

// regrant grants a role and takes it back: whoever logged in before has to do so again.
func (n *nemesis) regrant(context.Context) error {
	defer n.journal.begin(regranted, "a role is granted and taken back")()
	ctx, cancel := context.WithTimeout(context.Background(), renewTimeout)
	defer cancel()
	for member := 0; ctx.Err() == nil; member = (member + 1) % len(n.cluster.Members) {
		admin := n.clients.admin(member)
		one, cancel := context.WithTimeout(ctx, requestTimeout)
		_, err := admin.UserGrantRole(one, byPassword, spareRole)
		if err == nil {
			_, err = admin.UserRevokeRole(one, byPassword, spareRole)
		}
		cancel()
		if err == nil {
			return nil
		}
		pause(ctx, 100*time.Millisecond)
	}
	return nil // members are away: that is for others to judge
}

func hostOf(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		panic(err) // of proc's making
	}
	return u.Host
}

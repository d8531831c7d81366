package server

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// With --discovery-srv the members of a new cluster stand in DNS, as SRV records
// of a domain: _etcd-server-ssl._tcp for those with TLS, _etcd-server._tcp for
// those without; --discovery-srv-name adds a suffix to both services. The URLs
// in DNS are what the identities of members and cluster derive from, so they must
// be there for all members alike, and stay. A member that has data asks nobody.

// srvTimeout bounds the questions to DNS.
const srvTimeout = 20 * time.Second

// nameService is what discovery asks; tests put another in its place.
type nameService interface {
	LookupSRV(ctx context.Context, service, proto, name string) (cname string, records []*net.SRV, err error)
	LookupHost(ctx context.Context, host string) ([]string, error)
}

// discoverSRV replaces --initial-cluster, and this member's peer URLs, by what DNS
// says of a new cluster.
func (s *Server) discoverSRV() error {
	ctx, cancel := context.WithTimeout(s.settings.starting(), srvTimeout)
	defer cancel()
	names := s.settings.names
	if names == nil {
		names = net.DefaultResolver
	}
	found := &srvMembers{ctx: ctx, names: names, settings: s.settings}
	if err := found.lookUp(); err != nil {
		return fmt.Errorf("--discovery-srv: %w", err)
	}
	c := s.settings.Config
	c.InitialCluster, c.InitialAdvertisePeerURLs = strings.Join(found.listed, ","), strings.Join(found.own, ",")
	if err := s.settings.found(c); err != nil {
		return fmt.Errorf("--discovery-srv: %w", err)
	}
	s.log.Info("got bootstrap from DNS", "discovery-srv", s.settings.DiscoverySRV, "initial-cluster", c.InitialCluster,
		"member-id", hex(s.settings.member), "cluster-id", hex(s.settings.cluster))
	return nil
}

// srvMembers gathers NAME=URL of members. Names of others are numbers.
type srvMembers struct {
	ctx      context.Context
	names    nameService
	settings *settings

	listed, own []string
	others      int
}

// lookUp asks for both services; one of them is enough.
func (m *srvMembers) lookUp() error {
	suffix := ""
	if m.settings.DiscoverySRVName != "" {
		suffix = "-" + m.settings.DiscoverySRVName
	}
	secure := m.service("etcd-server-ssl"+suffix, "https")
	plain := m.service("etcd-server"+suffix, "http")
	switch {
	case secure != nil && plain != nil:
		return errors.Join(secure, plain)
	case len(m.own) == 0:
		return fmt.Errorf("cannot find local etcd member %q in SRV records", m.settings.Name)
	}
	return nil
}

func (m *srvMembers) service(service, scheme string) error {
	_, records, err := m.names.LookupSRV(m.ctx, service, "tcp", m.settings.DiscoverySRV)
	if err != nil {
		return fmt.Errorf("error querying DNS SRV records for _%s %w", service, err)
	}
	for _, r := range records {
		if err := m.add(r, scheme); err != nil {
			return err
		}
	}
	return nil
}

func (m *srvMembers) add(r *net.SRV, scheme string) error {
	u := &url.URL{Scheme: scheme, Host: net.JoinHostPort(strings.TrimSuffix(r.Target, "."), strconv.Itoa(int(r.Port)))}
	own, err := m.isOwn(u)
	switch {
	case err != nil:
		return err
	case own:
		m.own = append(m.own, u.String())
		m.listed = append(m.listed, m.settings.Name+"="+u.String())
	default:
		m.listed = append(m.listed, fmt.Sprintf("%d=%s", m.others, u))
		m.others++
	}
	return nil
}

// isOwn tells whether a URL leads to an address that this member advertises.
func (m *srvMembers) isOwn(u *url.URL) (bool, error) {
	for _, advertised := range m.settings.advertise {
		same, err := m.same(u, advertised)
		if err != nil {
			return false, err
		}
		if same && advertised.Scheme != u.Scheme {
			return false, fmt.Errorf("bootstrap at %s from DNS has scheme mismatch with expected peer %s", u, advertised)
		}
		if same {
			return true, nil
		}
	}
	return false, nil
}

// same compares by name, then by address.
func (m *srvMembers) same(a, b *url.URL) (bool, error) {
	if a.Port() != b.Port() || isSocket(b) {
		return false, nil
	}
	if a.Hostname() == b.Hostname() {
		return true, nil
	}
	first, err := m.names.LookupHost(m.ctx, a.Hostname())
	if err != nil {
		return false, err
	}
	second, err := m.names.LookupHost(m.ctx, b.Hostname())
	if err != nil {
		return false, err
	}
	for _, address := range first {
		for _, other := range second {
			if address == other {
				return true, nil
			}
		}
	}
	return false, nil
}

package server

import (
	"context"
	"errors"
	"fmt"

	"github.com/holdfast-db/holdfast/server/discovery"
)

// discover finds out who the members of a new cluster are, if --initial-cluster
// doesn't say so.
func (s *Server) discover() error {
	switch {
	case s.settings.Discovery.Wanted() && s.settings.existing:
		return errors.New("discovery URL should not be set when joining existing initial cluster")
	case s.settings.Discovery.Wanted():
		return s.discoverByService()
	case s.settings.DiscoverySRV != "":
		return s.discoverSRV()
	}
	return nil
}

// discoverByService registers with another cluster, and waits there for the other
// members: for as long as it takes.
func (s *Server) discoverByService() error {
	s.log.Info("Bootstrapping cluster using v3 discovery.")
	self := discovery.Self{ID: s.settings.member, Name: s.settings.Name, URLs: urlStrings(s.settings.advertise)}
	cluster, err := discovery.Join(s.settings.starting(), s.settings.Discovery, self, s.log)
	if err != nil {
		return fmt.Errorf("failed to join discovery cluster (%w)", err)
	}
	c := s.settings.Config
	c.InitialCluster = cluster
	if err := s.settings.found(c); err != nil {
		return fmt.Errorf("--discovery-token: %w", err)
	}
	return nil
}

// starting ends when Start shall.
func (s *settings) starting() context.Context {
	if s.Starting != nil {
		return s.Starting
	}
	return context.Background()
}

// discovers tells whether the flags leave it to others to say who the members are.
func (s *settings) discovers() bool { return s.Discovery.Wanted() || s.DiscoverySRV != "" }

// found takes the identities over that follow from what was found.
func (s *settings) found(c Config) error {
	c.DiscoverySRV, c.DiscoverySRVName, c.Discovery = "", "", discovery.Config{}
	derived, err := c.resolve()
	if err != nil {
		return err
	}
	s.InitialCluster, s.advertise = c.InitialCluster, derived.advertise
	s.member, s.cluster, s.initial = derived.member, derived.cluster, derived.initial
	s.named, s.others = derived.named, derived.others
	return nil
}

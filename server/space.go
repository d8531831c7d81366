package server

import (
	"context"
	"time"

	"github.com/holdfast-db/holdfast/server/state"
)

// NOSPACE is raised by the gate (api.Service.room) and, as in etcd, stays until
// somebody disarms it. With --nospace-auto-disarm-percent each member takes its
// own back once there is room again. The percentage is the hysteresis: the alarm
// comes at the whole quota and goes at a part of it, so a store at its limit
// doesn't go back and forth between the two.

const (
	// spaceLook is the time between two looks at the size.
	spaceLook = time.Second
	// spaceLooks is how many of them in a row must find room: a compaction's
	// effect is seen at once, a client that is about to fill it up again soon.
	spaceLooks = 2
	// disarmPercentMax keeps the two limits apart.
	disarmPercentMax = 95
)

// disarmer decides when this member's NOSPACE can go; it has no clock.
type disarmer struct {
	below int64 // bytes
	calm  int   // looks in a row that found room
}

// newDisarmer returns nil if alarms are for people to disarm.
func (s *settings) newDisarmer() *disarmer {
	if s.NoSpaceDisarmPercent == 0 || s.quota() == 0 {
		return nil
	}
	return &disarmer{below: s.quota() / 100 * int64(s.NoSpaceDisarmPercent)}
}

// look takes a look: is the alarm raised, and how large is the store?
func (d *disarmer) look(raised bool, bytes int64) (disarm bool) {
	if !raised || bytes >= d.below {
		d.calm = 0
		return false
	}
	d.calm++
	return d.calm >= spaceLooks
}

// keepSpace takes this member's NOSPACE back when there is room, until it stops.
// One that is raised for another member, or for nobody in particular, stays.
func (s *Server) keepSpace(d *disarmer) {
	ticker := time.NewTicker(spaceLook)
	defer ticker.Stop()
	for {
		select {
		case <-s.stopping:
			return
		case <-ticker.C:
			if bytes := s.backend.head.bytes.Load(); d.look(s.backend.hasNoSpace(), bytes) && s.disarm() {
				s.log.Info("alarm disarmed", "alarm", state.AlarmNoSpace.String(), "from", hex(s.settings.member), "bytes", bytes, "below", d.below)
				d.calm = 0
			}
		}
	}
}

// hasNoSpace tells whether this member's NOSPACE is raised.
func (b *backend) hasNoSpace() bool {
	for _, a := range b.Status().Alarms {
		if a.Kind == state.AlarmNoSpace && a.Member == b.settings.member {
			return true
		}
	}
	return false
}

// disarm reports whether the alarm is gone afterwards.
func (s *Server) disarm() bool {
	ctx, cancel := context.WithTimeout(context.Background(), s.settings.requestTimeout())
	defer cancel()
	_, err := s.backend.Propose(ctx, &state.AlarmRequest{Member: s.settings.member, Kind: state.AlarmNoSpace})
	return err == nil
}

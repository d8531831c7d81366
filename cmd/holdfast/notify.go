package main

import (
	"log/slog"

	"github.com/coreos/go-systemd/v22/daemon"
)

// notifyReady tells the service manager that started this process, if it asked to
// be told (a unit with Type=notify), that clients are let in. Until it hears so the
// unit is "activating", and after a minute and a half it is killed.
func notifyReady(log *slog.Logger) {
	if _, err := daemon.SdNotify(false, daemon.SdNotifyReady); err != nil {
		log.Warn("failed to notify systemd for readiness", "error", err.Error())
	}
}

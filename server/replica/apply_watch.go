package replica

import (
	"fmt"

	"github.com/holdfast-db/holdfast/mvcc"
	"github.com/holdfast-db/holdfast/server/auth"
)

// watchEvent passes a client's watch request on to the hub.
func (a *Apply) watchEvent(ev Event) {
	switch ev := ev.(type) {
	case WatchOpenEvent:
		a.sinks[ev.Stream] = ev.Sink
		a.hub.Open(ev.Stream)
	case WatchCreateEvent:
		a.hub.Publish(a.emit) // "from now" begins behind what is applied
		a.emit(ev.Stream, a.createWatch(&ev))
	case WatchCancelEvent:
		a.emit(ev.Stream, a.hub.Cancel(ev.Stream, ev.ID))
	case WatchProgressEvent:
		a.hub.Publish(a.emit)
		a.emit(ev.Stream, a.hub.RequestProgress(ev.Stream))
	case WatchGrantEvent:
		a.hub.Grant(ev.Stream, ev.Credit)
	case WatchCloseEvent:
		a.hub.Close(ev.Stream)
		delete(a.sinks, ev.Stream)
		delete(a.sessions, ev.Stream)
	default:
		panic(fmt.Sprintf("replica: apply actor can't take a %T", ev))
	}
}

// createWatch refuses a watch that its session may not have, by the permissions
// that are applied now. A start that can't be is refused first, as in etcd.
func (a *Apply) createWatch(ev *WatchCreateEvent) []mvcc.WatchResponse {
	err := a.state.Auth().Still(ev.Session, ev.Request.Key, ev.Request.End)
	if err != nil && ev.Request.StartRevision >= 0 {
		return []mvcc.WatchResponse{{ID: mvcc.NoWatchID, Created: true, Canceled: true,
			CancelReason: err.Error(), Revision: a.state.Revision()}}
	}
	a.sessions[ev.Stream] = ev.Session
	return a.hub.Create(ev.Stream, &ev.Request)
}

// authChanged is called in the middle of applying, after the command that
// changed users or permissions: watchers get what was applied before, and those
// whose permission is gone nothing of what comes after.
func (a *Apply) authChanged(v *auth.View) {
	if a.cfg.AuthChanged != nil {
		a.cfg.AuthChanged(v)
	}
	a.hub.Publish(a.emit)
	a.hub.Recheck(func(stream mvcc.StreamID, key, end []byte) string {
		if err := v.Still(a.sessions[stream], key, end); err != nil {
			return err.Error()
		}
		return ""
	}, a.emit)
}

// emit hands responses to the stream's client.
func (a *Apply) emit(stream mvcc.StreamID, responses []mvcc.WatchResponse) {
	if sink := a.sinks[stream]; sink != nil && len(responses) > 0 {
		sink(responses)
	}
}

// tickWatch sends periodic progress to the watchers that asked for it.
func (a *Apply) tickWatch() {
	if every := uint64(a.cfg.WatchProgressTicks); every > 0 && a.now%every == 0 {
		a.hub.Publish(a.emit)
		a.hub.ProgressTick(a.emit)
	}
}

package replica

import (
	"fmt"

	"github.com/holdfast-db/holdfast/mvcc"
)

// watchEvent passes a client's watch request on to the hub.
func (a *Apply) watchEvent(ev Event) {
	switch ev := ev.(type) {
	case WatchOpenEvent:
		a.sinks[ev.Stream] = ev.Sink
		a.hub.Open(ev.Stream)
	case WatchCreateEvent:
		a.hub.Publish(a.emit) // "from now" begins behind what is applied
		a.emit(ev.Stream, a.hub.Create(ev.Stream, &ev.Request))
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
	default:
		panic(fmt.Sprintf("replica: apply actor can't take a %T", ev))
	}
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

package replica

import (
	"github.com/holdfast-db/holdfast/raft"
	"github.com/holdfast-db/holdfast/server/state"
	"github.com/holdfast-db/holdfast/wal"
)

// Events that only actors send to each other; drivers carry them unread.
type (
	// persistEvent (core → log): make this durable, answer with PersistedEvent.
	persistEvent struct{ Persist *raft.Persist }
	// loadEvent (core → log): read older entries, answer with LoadedEvent.
	loadEvent struct{ Request raft.LoadRequest }
	// compactEvent (core → log): the durable snapshot Meta exists, and Oldest
	// stays as well; forget entries below First, answer with compactedEvent.
	compactEvent struct {
		Meta, Oldest raft.SnapshotMeta
		First        raft.Index
	}
	// retireEvent (core → log): the state was restored from the installed
	// snapshot Last, which the log continues; older files can go.
	retireEvent struct{ Last raft.EntryID }
	// compactedEvent (log → core): the log on disk starts at First, and counts
	// anew towards the next snapshot.
	compactedEvent struct {
		Meta  raft.SnapshotMeta
		First raft.Index
		Stats wal.Stats
	}
	// marksEvent (core → log): keep this of the peers in super; with Fenced, end
	// the process with it once it is there.
	marksEvent struct {
		Peers  []raft.PeerMark
		Fenced error
	}
	// lowEvent (log → core): the log's reserve of disk space is low, or no more.
	lowEvent struct{ Low bool }
	// syncDueEvent (core → core, by timer): sync policy "interval" has waited
	// long enough.
	syncDueEvent struct{}
	// proposeEvent (apply → core): commands without an asker, void unless this
	// member still leads in Term.
	proposeEvent struct {
		Term     raft.Term
		Commands []state.Encoded
	}

	// applyEvent (core → apply): committed entries, contiguous.
	applyEvent struct {
		Entries []raft.Entry
		Bytes   int
	}
	// restoreEvent (core → apply): replace the state by an installed snapshot.
	restoreEvent struct{ Meta raft.SnapshotMeta }
	// registerEvent (core → apply): these requests are on their way; their
	// outcome will be met in the log, or their deadline. Now is the core's tick:
	// the deadlines count from it (see Apply.fromCore).
	registerEvent struct {
		Requests []*Request
		Now      uint64
	}
	// refusedEvent (core → apply): a registered request was not proposed by the
	// member that was asked. It is to be sent again, Later if that one was
	// overloaded or if it was sent again in this tick already: a network that
	// repeats frames must not make requests multiply. It is never answered as
	// refused: another copy may have been taken, and by another leader.
	refusedEvent struct {
		Seq   uint64
		Later bool
		Err   error // not nil: for good
	}
	// retryEvent (apply → core): a copy of a registered request to send again;
	// its Done is nil, since the original still waits with the apply actor.
	retryEvent struct {
		Request *Request // without a deadline
		Left    uint64   // ticks until its deadline
		Later   bool     // with the next tick
	}
	// readyEvent (core → apply): answer these once Index is applied. Start is
	// the tick before which no message of the quorum round was sent; it and the
	// deadlines count from the core's tick Now.
	readyEvent struct {
		Index    raft.Index
		Term     raft.Term
		Start    uint64
		Now      uint64
		Requests []*Request
	}
	// leadEvent (core → apply): this member leads in Term; 0: it doesn't lead.
	leadEvent struct{ Term raft.Term }
	// snapshotEvent (core → apply): begin a snapshot of what is applied.
	snapshotEvent struct{}
	// continueEvent (apply → apply): go on with sliced work.
	continueEvent struct{}
)

func (e TickEvent) actor() ActorID          { return e.To }
func (FrameEvent) actor() ActorID           { return ToCore }
func (SubmitEvent) actor() ActorID          { return ToCore }
func (PersistedEvent) actor() ActorID       { return ToCore }
func (LoadedEvent) actor() ActorID          { return ToCore }
func (AppliedEvent) actor() ActorID         { return ToCore }
func (SnapshotArrivedEvent) actor() ActorID { return ToCore }
func (SnapshotSentEvent) actor() ActorID    { return ToCore }
func (PeerClosedEvent) actor() ActorID      { return ToCore }
func (PeerUnreachableEvent) actor() ActorID { return ToCore }
func (PeerConnectedEvent) actor() ActorID   { return ToCore }
func (e JobDoneEvent) actor() ActorID       { return e.Job.Owner }
func (retireEvent) actor() ActorID          { return ToLog }
func (compactedEvent) actor() ActorID       { return ToCore }
func (marksEvent) actor() ActorID           { return ToLog }
func (lowEvent) actor() ActorID             { return ToCore }
func (syncDueEvent) actor() ActorID         { return ToCore }
func (proposeEvent) actor() ActorID         { return ToCore }
func (persistEvent) actor() ActorID         { return ToLog }
func (loadEvent) actor() ActorID            { return ToLog }
func (compactEvent) actor() ActorID         { return ToLog }
func (applyEvent) actor() ActorID           { return ToApply }
func (restoreEvent) actor() ActorID         { return ToApply }
func (registerEvent) actor() ActorID        { return ToApply }
func (refusedEvent) actor() ActorID         { return ToApply }
func (retryEvent) actor() ActorID           { return ToCore }
func (readyEvent) actor() ActorID           { return ToApply }
func (leadEvent) actor() ActorID            { return ToApply }
func (snapshotEvent) actor() ActorID        { return ToApply }
func (continueEvent) actor() ActorID        { return ToApply }
func (ReadLocalEvent) actor() ActorID       { return ToApply }
func (WatchOpenEvent) actor() ActorID       { return ToApply }
func (WatchCreateEvent) actor() ActorID     { return ToApply }
func (WatchCancelEvent) actor() ActorID     { return ToApply }
func (WatchProgressEvent) actor() ActorID   { return ToApply }
func (WatchGrantEvent) actor() ActorID      { return ToApply }
func (WatchCloseEvent) actor() ActorID      { return ToApply }

// ActorOf tells which actor an event is for.
func ActorOf(e Event) ActorID { return e.actor() }

package replica

// Watchers tells how many watchers there are, and how many of them are catching
// up with history. It is the apply actor's to call.
func (a *Apply) Watchers() (all, behind int) { return a.hub.Watchers(), a.hub.Behind() }

// ExpiredLeases counts the leases that this member found expired while it led.
// It is the apply actor's to call.
func (a *Apply) ExpiredLeases() uint64 { return a.expiries }

package torture

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"
)

// The kinds of event that weather causes.
const (
	cutOff     = "cut off"     // a member from all others
	cutOneWay  = "cut one way" // a member hears nobody, or is heard by nobody
	cutPair    = "cut a link"  // between two members
	delayLinks = "delay"
	slowSyncs  = "slow disk"
	stallSyncs = "stalled disk"
)

// weather spoils links and disks while the nemesis kills, so that members die behind cut links, start on slow disks
// and elect while messages are late.
type weather struct {
	*rig
	random *rand.Rand
	config Config
}

func (w *weather) actions() []func(context.Context) error {
	var out []func(context.Context) error
	if w.config.has(Cut) && len(w.cluster.Members) > 1 {
		out = append(out, w.cutOff, w.cutOneWay, w.cutPair)
	}
	if w.config.has(Delay) && len(w.cluster.Members) > 1 {
		out = append(out, w.delay)
	}
	if w.config.has(SlowDisk) {
		out = append(out, w.slow, w.stall)
	}
	return out
}

// run acts until ctx ends, and leaves healthy links and disks behind.
func (w *weather) run(ctx context.Context) error {
	plan := w.actions()
	if len(plan) == 0 {
		return nil
	}
	w.random.Shuffle(len(plan), func(i, j int) { plan[i], plan[j] = plan[j], plan[i] })
	for i := 0; ctx.Err() == nil; i++ {
		pause(ctx, w.between(100*time.Millisecond, 1500*time.Millisecond))
		if ctx.Err() != nil {
			return nil
		}
		act := plan[i%len(plan)]
		if i >= len(plan) {
			act = plan[w.random.IntN(len(plan))]
		}
		if err := act(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (w *weather) between(low, high time.Duration) time.Duration {
	return low + time.Duration(w.random.Int64N(int64(high-low)))
}

// victim is the leader every other time.
func (w *weather) victim() int {
	any, wantLeader := w.random.IntN(len(w.cluster.Members)), w.random.IntN(2) == 0
	if i := w.observer.leader(); i >= 0 && wantLeader {
		return i
	}
	return any
}

// cut holds directions cut for a while.
func (w *weather) cut(ctx context.Context, kind, detail string, members []int, ds ...direction) error {
	length, sever := w.between(500*time.Millisecond, 4*time.Second), w.random.IntN(3) == 0
	if sever {
		detail += ", connections reset"
	}
	defer w.journal.begin(kind, detail, w.names(members...)...)()
	w.network.setCut(true, sever, ds...)
	pause(ctx, length)
	w.network.setCut(false, false, ds...)
	return nil
}

func (w *weather) cutOff(ctx context.Context) error {
	v := w.victim()
	var ds []direction
	for _, other := range w.without(v) {
		ds = append(ds, direction{v, other}, direction{other, v})
	}
	// Whom the kernel can't name is cut, too: where callers can't be told, all that come in are of that kind.
	ds = append(ds, direction{untold, v}, direction{v, untold})
	return w.cut(ctx, cutOff, "both ways", []int{v}, ds...)
}

func (w *weather) cutOneWay(ctx context.Context) error {
	v, deaf := w.victim(), w.random.IntN(2) == 0
	var ds []direction
	for _, other := range w.without(v) {
		if deaf {
			ds = append(ds, direction{other, v})
		} else {
			ds = append(ds, direction{v, other})
		}
	}
	detail := "hears nobody"
	if !deaf {
		detail = "is heard by nobody"
	}
	return w.cut(ctx, cutOneWay, detail, []int{v}, ds...)
}

// cutPair leaves both members connected to the rest: one of them may hear of a leader that the other cannot reach.
func (w *weather) cutPair(ctx context.Context) error {
	a := w.victim()
	others := w.without(a)
	b := others[w.random.IntN(len(others))]
	return w.cut(ctx, cutPair, "both ways", []int{a, b}, direction{a, b}, direction{b, a})
}

// delay makes some directions slow, each by its own time: replies may take another time than requests.
func (w *weather) delay(ctx context.Context) error {
	length, most := w.between(time.Second, 4*time.Second), w.between(5*time.Millisecond, 150*time.Millisecond)
	var ds []direction
	for _, from := range w.all() {
		for _, to := range w.without(from) {
			if w.random.IntN(2) == 0 {
				ds = append(ds, direction{from, to})
				w.network.setDelay(w.between(0, most), direction{from, to})
			}
		}
	}
	defer w.journal.begin(delayLinks, fmt.Sprintf("%d directions, up to %v", len(ds), most.Round(time.Millisecond)), w.names(w.all()...)...)()
	pause(ctx, length)
	w.network.setDelay(0, ds...)
	return nil
}

func (w *weather) slow(ctx context.Context) error {
	victims := []int{w.victim()}
	if w.random.IntN(4) == 0 {
		victims = w.all()
	}
	most := w.between(2*time.Millisecond, 80*time.Millisecond)
	return w.spoil(ctx, slowSyncs, fmt.Sprintf("slow=%v", most.Round(time.Millisecond)), w.between(time.Second, 4*time.Second), victims...)
}

func (w *weather) stall(ctx context.Context) error {
	return w.spoil(ctx, stallSyncs, "stall", w.between(200*time.Millisecond, 3*time.Second), w.victim())
}

// spoil gives disks a condition for a while.
func (w *weather) spoil(ctx context.Context, kind, words string, length time.Duration, victims ...int) error {
	defer w.journal.begin(kind, words, w.names(victims...)...)()
	for _, i := range victims {
		if err := w.disks.set(w.cluster.Members[i], weatherName, words); err != nil {
			return err
		}
	}
	pause(ctx, length)
	for _, i := range victims {
		if err := w.disks.set(w.cluster.Members[i], weatherName, ""); err != nil {
			return err
		}
	}
	return nil
}

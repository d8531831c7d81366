package api

import (
	"context"
	"errors"
	"maps"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// First come, first served: a large one that waits isn't passed by small ones
// that would fit, and a larger one than everything is let in alone.
func TestBudgetIsALine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &budget{max: 100}
		second := map[int64]int{} // in which somebody was let in
		began := time.Now()
		var mu sync.Mutex
		enter := func(bytes int64) {
			taken, err := b.take(t.Context(), bytes)
			if err != nil || taken != min(bytes, 100) {
				t.Errorf("%d: %d, %v", bytes, taken, err)
			}
			mu.Lock()
			second[bytes] = int(time.Since(began) / time.Second)
			mu.Unlock()
			time.Sleep(time.Second)
			b.give(taken)
		}
		for _, bytes := range []int64{60, 1000, 40, 30, 90, 10} {
			go enter(bytes)
			synctest.Wait()
		}
		if b.held() != 60 {
			t.Errorf("%d bytes are held", b.held())
		}
		time.Sleep(time.Minute)
		mu.Lock()
		defer mu.Unlock()
		if want := map[int64]int{60: 0, 1000: 1, 40: 2, 30: 2, 90: 3, 10: 3}; !maps.Equal(second, want) {
			t.Errorf("let in at %v, want %v", second, want)
		}
		if b.held() != 0 {
			t.Errorf("%d bytes are left", b.held())
		}
	})
}

// Who gives up leaves nothing behind, and lets those in who stood behind.
func TestBudgetGivingUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &budget{max: 100}
		first, _ := b.take(t.Context(), 50)
		impatient, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		failed := make(chan error)
		go func() {
			_, err := b.take(impatient, 80)
			failed <- err
		}()
		synctest.Wait()
		let := make(chan struct{})
		go func() {
			taken, err := b.take(t.Context(), 50)
			if err != nil {
				t.Error(err)
			}
			close(let)
			b.give(taken)
		}()
		if err := <-failed; !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
		<-let
		b.give(first)
		synctest.Wait()
		if b.held() != 0 {
			t.Errorf("%d bytes are left", b.held())
		}
	})
}

// Many at once, some of whom give up: never more than the bound, nothing is lost.
func TestBudgetUnderLoad(t *testing.T) {
	b := &budget{max: 1000}
	var inside atomic.Int64
	var all sync.WaitGroup
	for i := range 16 {
		rng := rand.New(rand.NewPCG(1, uint64(i)))
		all.Go(func() {
			for range 300 {
				ctx, cancel := context.WithTimeout(context.Background(), time.Duration(rng.IntN(2000))*time.Microsecond)
				taken, err := b.take(ctx, rng.Int64N(1500))
				if now := inside.Add(taken); now > 1000 {
					t.Errorf("%d bytes inside", now)
				}
				inside.Add(-taken)
				if err == nil {
					b.give(taken)
				}
				cancel()
			}
		})
	}
	all.Wait()
	if b.held() != 0 || len(b.line) != 0 {
		t.Errorf("%d bytes are left, %d wait", b.held(), len(b.line))
	}
}

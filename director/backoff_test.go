package director

import (
	"math/rand/v2"
	"testing"
	"time"
)

func TestBackoffDoublesUpToItsLimit(t *testing.T) {
	var b backoff
	for n, want := range []time.Duration{1, 2, 4, 8, 10, 10, 10} {
		if got := b.next(time.Second, 10*time.Second, 0.99999999999); got.Round(time.Millisecond) != want*time.Second {
			t.Errorf("failure %d: %s, want %s", n+1, got, want*time.Second)
		}
	}
	b.reset()
	if got := b.next(time.Second, 10*time.Second, 0); got != time.Second/2 {
		t.Errorf("first failure after a success: %s, want half a second", got)
	}
}

// A thousand failures neither overflow nor leave the limits, whatever is drawn.
func TestBackoffIsBounded(t *testing.T) {
	var b backoff
	draw := rand.New(rand.NewPCG(1, 2))
	for n := range 1000 {
		if got := b.next(time.Second, time.Minute, draw.Float64()); got < time.Second/2 || got > time.Minute || n > 6 && got < 30*time.Second {
			t.Fatalf("failure %d: %s", n+1, got)
		}
	}
	if got := new(backoff).next(time.Minute, time.Second, 0); got != time.Second/2 {
		t.Errorf("a first wait above the limit: %s", got)
	}
}

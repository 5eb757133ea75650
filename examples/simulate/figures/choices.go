package main

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/golvs/lvs"
	"github.com/golvs/lvs/workload"
)

// choices is a custom algorithm: it draws some servers, each as likely as any other,
// and picks the one with the fewest active connections.
type choices struct {
	service *lvs.SimService
	count   int
	random  *rand.Rand
	all     []lvs.SimServer
	stale   bool
}

func (c *choices) Changed() { c.stale = true }

func (c *choices) Pick(lvs.Flow) (best lvs.SimServer) {
	if c.stale {
		c.stale, c.all = false, slices.Collect(c.service.Servers())
	}
	for i := range c.count {
		s := c.all[c.random.IntN(len(c.all))]
		if i == 0 || s.ActiveConns() < best.ActiveConns() {
			best = s
		}
	}
	return best
}

// choosing returns a simulator with servers and a scheduler: TWOS, or choices.
func (b *bench) choosing(ctx context.Context, count int, kernels bool, servers int) (*lab, error) {
	const own = "choices"
	scheduler := lvs.Scheduler(own)
	if kernels {
		scheduler = lvs.TWOS
	}
	return newLab(ctx, scheduler, lvs.SimOptions{Seed: b.seed, Algorithms: map[lvs.Scheduler]lvs.SimAlgorithm{
		own: func(s *lvs.SimService) lvs.SimPicker {
			return &choices{service: s, count: count, random: rand.New(rand.NewPCG(b.seed, 9)), stale: true}
		},
	}}, upTo(servers)...)
}

func nameOf(count int, kernels bool) string {
	if kernels {
		return "two choices, Linux's twos"
	}
	return []string{"one choice", "two choices", "three choices"}[count-1]
}

// bins opens as many connections as there are servers, and keeps them open.
func bins(ctx context.Context, b *bench) error {
	b.head()
	sizes := []int{1000, 10_000}
	if !b.quick {
		sizes = append(sizes, 50_000)
	}
	for _, n := range sizes {
		log := math.Log(float64(n))
		for _, c := range []struct {
			count     int
			kernels   bool
			published float64
		}{{1, false, log / math.Log(log)}, {2, false, math.Log(log) / math.Ln2}, {2, true, math.Log(log) / math.Ln2}} {
			l, err := b.choosing(ctx, c.count, c.kernels, n)
			if err != nil {
				return err
			}
			r, err := workload.Run(ctx, l.Simulator, workload.Workload{
				Service: service, Duration: time.Second, Arrivals: workload.Steady(float64(n)),
				Clients: workload.Clients{Count: n}, Lifetime: workload.Fixed(time.Hour), Samples: 1, Seed: b.seed,
			})
			l.client.Close()
			if err != nil {
				return err
			}
			peak := 0
			for _, s := range r.Servers {
				peak = max(peak, s.Peak)
			}
			b.row(fmt.Sprintf("n = %d, %s", n, nameOf(c.count, c.kernels)), fmt.Sprintf("%.1f", c.published), fmt.Sprint(peak), "")
		}
	}
	b.printf("\n  Published are the leading terms, ln n / ln ln n and ln ln n / ln 2; a constant, and for one choice\n" +
		"  a factor that goes to 1 slowly, come on top.\n")
	return nil
}

// supermarket lets connections wait at servers that serve one at a time.
func supermarket(ctx context.Context, b *bench) error {
	b.head()
	for _, c := range []struct {
		load      float64
		count     int
		kernels   bool
		published float64
		servers   int
		seconds   int // the first quarter does not count
	}{
		{0.90, 1, false, 10, 100, 20_000},
		{0.90, 2, false, 2.614, 1000, 1000},
		{0.90, 2, true, 2.614, 1000, 1000},
		{0.90, 3, false, 2.028, 1000, 1000},
		{0.99, 1, false, 100, 20, 1_000_000},
		{0.99, 2, false, 5.432, 500, 8000},
		{0.99, 2, true, 5.432, 500, 8000},
		{0.99, 3, false, 3.858, 500, 8000},
	} {
		took, err := b.queue(ctx, c.load, c.count, c.kernels, c.servers, b.less(c.seconds))
		if err != nil {
			return err
		}
		b.row(fmt.Sprintf("load %.2f, %s", c.load, nameOf(c.count, c.kernels)), strings.TrimSuffix(fmt.Sprintf("%.3f", c.published), ".000"),
			fmt.Sprintf("%.3f", took), fmt.Sprintf("%d servers, %d s", c.servers, b.less(c.seconds)))
	}
	b.printf("\n  Published are the limits for infinitely many servers and infinite time. Between equally\n" +
		"  busy servers twos decides by how many connections ended lately, which does not show here.\n")
	return nil
}

// queue returns the mean time in the system.
func (b *bench) queue(ctx context.Context, load float64, count int, kernels bool, servers, seconds int) (float64, error) {
	l, err := b.choosing(ctx, count, kernels, servers)
	if err != nil {
		return 0, err
	}
	defer l.client.Close()
	const samples = 100
	r, err := workload.Run(ctx, l.Simulator, workload.Workload{
		Service: service, Duration: time.Duration(seconds) * time.Second, Arrivals: workload.Poisson(load * float64(servers)),
		Clients: workload.Clients{Count: 100_000}, Lifetime: workload.Exponential(time.Second),
		Server: workload.Server{Slots: 1}, Samples: samples, Seed: b.seed,
	})
	if err != nil {
		return 0, err
	}
	n, sum := 0.0, 0.0
	for _, s := range r.Samples[samples/4:] {
		n += float64(s.Ended)
		sum += float64(s.Ended) * s.Time
	}
	return sum / n, nil
}

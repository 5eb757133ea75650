package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
)

// linuxMH looks at the whole table of Linux's mh: how equal the shares are, what
// one server less changes, and what the order of the servers changes.
func linuxMH(ctx context.Context, b *bench) error {
	const index = 12
	clients, err := clientsOfBuckets(ctx, index, b.seed)
	if err != nil {
		return err
	}
	b.head()
	random := rand.New(rand.NewPCG(b.seed, 1))
	for _, c := range []struct {
		servers                        int
		imbalance, moved, disagreement string
	}{
		{10, "1.002", "10.9 %", "0.6 %"},
		{100, "1.002", "3.9 %", "5.7 %"},
		{500, "1.10", "1.2 %", "20.5 %"},
		{1000, "1.22", "0.73 %", "31.7 %"},
	} {
		servers := upTo(c.servers)
		table, err := tableOf(ctx, clients, index, servers...)
		if err != nil {
			return err
		}
		what := fmt.Sprintf("%d servers: ", c.servers)
		b.row(what+"greatest/mean", c.imbalance, fmt.Sprintf("%.3f", greatestOverMean(table, c.servers)), "")

		leaves := random.Perm(c.servers)[:b.less(10)]
		moved := 0.0
		for _, gone := range leaves {
			without, err := tableOf(ctx, clients, index, slices.Delete(slices.Clone(servers), gone, gone+1)...)
			if err != nil {
				return err
			}
			moved += different(table, without) / float64(len(leaves))
		}
		b.row(what+"clients that move when one leaves", c.moved, fmt.Sprintf("%.2f %%", 100*moved),
			fmt.Sprintf("at least %.1f %%; the mean of %d that leave", 100/float64(c.servers), len(leaves)))

		slices.Reverse(servers)
		reversed, err := tableOf(ctx, clients, index, servers...)
		if err != nil {
			return err
		}
		b.row(what+"directors in reverse order disagree", c.disagreement, percent(different(table, reversed)), "")
	}
	b.printf("\n  Each figure is of the whole table, bucket by bucket. What is published was computed for other\n" +
		"  addresses of servers, on which all of it depends.\n")
	return nil
}

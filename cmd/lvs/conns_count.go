package main

import (
	"bufio"
	"cmp"
	"encoding/json"
	"iter"
	"maps"
	"slices"
	"strconv"

	"github.com/golvs/lvs"
	"github.com/golvs/lvs/cmd/lvs/internal/term"
)

// connCount is how many connections have a key.
type connCount struct {
	Server      string `json:"server,omitempty"`
	Client      string `json:"client,omitempty"`
	State       string `json:"state,omitempty"`
	Connections int    `json:"connections"`
}

func (c connCount) key() string { return cmp.Or(c.Server, c.Client, c.State) }

// printCounts prints counts, the highest first.
func (c *conns) printCounts(out *bufio.Writer, all iter.Seq2[lvs.Connection, error]) error {
	counts, err := c.counts(all)
	if err != nil {
		return err
	}
	slices.SortFunc(counts, func(a, b connCount) int {
		return cmp.Or(cmp.Compare(b.Connections, a.Connections), cmp.Compare(a.key(), b.key()))
	})
	if c.top > 0 {
		counts = counts[:min(c.top, len(counts))]
	}
	if c.output == "json" {
		lines := json.NewEncoder(out)
		for _, one := range counts {
			if err := lines.Encode(one); err != nil {
				return err
			}
		}
		return nil
	}
	heads := map[string]string{"server": "SERVER", "client": "CLIENT", "state": "STATE"}
	table := term.Table{Columns: []term.Column{{Head: "CONNECTIONS", Right: true}, {Head: heads[c.count]}}}
	for _, one := range counts {
		table.Add(strconv.Itoa(one.Connections), one.key())
	}
	return table.Write(out, term.Output{})
}

// counts counts by the key that the flags name.
func (c *conns) counts(all iter.Seq2[lvs.Connection, error]) (list []connCount, err error) {
	switch c.count {
	case "server":
		return countsBy(all, lvs.ByServer, func(key string, n int) connCount { return connCount{Server: key, Connections: n} })
	case "client":
		return countsBy(all, lvs.ByClient(c.bits4, c.bits6), func(key string, n int) connCount { return connCount{Client: key, Connections: n} })
	}
	named := func(conn lvs.Connection) stateKey { return stateKey(conn.State) }
	return countsBy(all, named, func(key string, n int) connCount { return connCount{State: key, Connections: n} })
}

type stateKey lvs.ConnState

func (s stateKey) String() string { return string(s) }

// countsBy returns the counts with the texts of their keys.
func countsBy[K interface {
	comparable
	String() string
}](all iter.Seq2[lvs.Connection, error], key func(lvs.Connection) K, count func(string, int) connCount) ([]connCount, error) {
	counts, err := lvs.CountConnections(all, key)
	list := make([]connCount, 0, len(counts))
	for k, n := range maps.All(counts) {
		list = append(list, count(k.String(), n))
	}
	return list, err
}

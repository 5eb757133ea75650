//go:build linux

package main

import (
	"context"
	"encoding/hex"
	"fmt"
	"net/netip"
	"os"
	"strings"

	"github.com/golvs/lvs"
)

// verify compares the kernel's table with the job. It reads what none of the
// contenders reads, so that no mistake of theirs hides here.
func (j job) verify(ns *namespace) error {
	var text []byte
	err := ns.do(func() (err error) {
		text, err = os.ReadFile("/proc/thread-self/net/ip_vs")
		return err
	})
	if err != nil {
		return fmt.Errorf("verifying: %w", err)
	}
	services, servers := 0, 0
	want := j.table()
	for _, object := range parseTable(string(text)) {
		if !want[object] {
			return fmt.Errorf("verifying: the kernel has %q, which is not wanted or there twice", object)
		}
		delete(want, object)
		if strings.Contains(object, "->") {
			servers++
		} else {
			services++
		}
	}
	if len(want) > 0 {
		return fmt.Errorf("verifying: the kernel has %d services and %d servers, want %d and %d",
			services, servers, j.services, j.services*j.servers)
	}
	return nil
}

// table is the job as parseTable reads it.
func (j job) table() map[string]bool {
	all := make(map[string]bool, j.objects())
	for s := range j.services {
		service := "TCP " + procAddr(j.vip(s)) + " " + scheduler
		all[service] = true
		for r := range j.servers {
			all[service+" -> "+procAddr(j.rip(s, r))+" Route 1"] = true
		}
	}
	return all
}

// parseTable reads /proc/net/ip_vs: services, and servers behind the name of
// their service.
func parseTable(text string) []string {
	var all []string
	service := ""
	for line := range strings.Lines(text) {
		f := strings.Fields(line)
		switch {
		case len(f) >= 3 && f[0] == "TCP":
			service = strings.Join(f, " ")
			all = append(all, service)
		case len(f) == 6 && f[0] == "->" && service != "":
			all = append(all, service+" "+strings.Join(f[:4], " "))
		}
	}
	return all
}

func procAddr(a netip.AddrPort) string {
	return strings.ToUpper(fmt.Sprintf("%s:%04x", hex.EncodeToString(a.Addr().AsSlice()), a.Port()))
}

// flush empties the table of a namespace.
func flush(ns *namespace) error {
	ctx := context.Background()
	c, err := lvs.Open(ctx, lvs.InNamespaceFD(ns.file.Fd()))
	if err != nil {
		return err
	}
	defer c.Close()
	return c.Flush(ctx)
}

// Package lab builds networks for the forwarding modes out of network namespaces: a
// client, a director, real servers with HTTP servers, and a shared server, joined by
// bridges. Package lvs alone configures the hosts. Building a lab needs Linux and the
// privilege to make network namespaces. Nothing outside of them is changed, and they
// end with the process, however it ends.
package lab

import (
	"fmt"
	"slices"
	"strings"

	"github.com/golvs/lvs"
)

// Modes are the values of [Options.Mode].
var Modes = []string{"dr", "nat", "fullnat", "ipip", "gue", "gre"}

// Families are the values of [Options.Family]: "4", "6", and "mixed" for IPv4 clients
// whose packets travel to the real servers inside IPv6.
var Families = []string{"4", "6", "mixed"}

// maxServers is the number of host numbers left in their network.
const maxServers = 50

// Options choose a lab.
type Options struct {
	Mode      string        // one of Modes
	Family    string        // one of Families; "" is "4"
	Scheduler lvs.Scheduler // "" is rr
	Encrypt   bool          // the packets between director and real servers; with ipip alone
	Servers   int           // how many real servers; 0 is the two of the seed
	Checks    bool          // the director accepts answers to its own checks through IPVS
}

// Validate returns an error that names the wrong option.
func (o Options) Validate() error { return o.complete() }

// complete sets defaults, and refuses combinations that no lab has.
func (o *Options) complete() error {
	if o.Family == "" {
		o.Family = "4"
	}
	if o.Scheduler == "" {
		o.Scheduler = lvs.RR
	}
	if o.Servers == 0 {
		o.Servers = 2
	}
	switch {
	case !slices.Contains(Modes, o.Mode):
		return fmt.Errorf("mode %q: want one of %s", o.Mode, strings.Join(Modes, ", "))
	case !slices.Contains(Families, o.Family):
		return fmt.Errorf("family %q: want one of %s", o.Family, strings.Join(Families, ", "))
	case o.Family == "mixed" && !o.tunnels():
		return fmt.Errorf("family mixed: %s forwards a packet as it is, and its real servers are of the VIP's family; only tunnels mix", o.Mode)
	case o.Encrypt && o.Mode != "ipip":
		return fmt.Errorf("mode %s cannot be encrypted: only ipip can", o.Mode)
	case o.Servers < 1 || o.Servers > maxServers:
		return fmt.Errorf("%d real servers: want 1 to %d", o.Servers, maxServers)
	}
	return nil
}

func (o *Options) tunnels() bool { return o.Mode == "ipip" || o.Mode == "gue" || o.Mode == "gre" }

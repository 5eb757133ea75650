package conformance

import (
	"context"
	"net/netip"
	"testing"
	"time"

	"github.com/golvs/lvs"
	"github.com/golvs/lvs/internal/release"

	"github.com/golvs/lvs/internal/genl"
	"github.com/golvs/lvs/internal/seam"
	"github.com/golvs/lvs/internal/testbed"
)

// The conformance suite says what IPVS answers. It has two layers: raw
// messages, which are built and read by its own code (raw_test.go, raw_socket_test.go),
// and the client. It runs on everything that is a [ground].

// ground is an empty IPVS table that only the test uses, with the network
// around it: lo, which is up, and a device of the name groundDevice, which is up
// too and has groundAddresses.
type ground interface {
	// Dial opens a socket with all privileges.
	Dial() (genl.Socket, error)

	// DialUnprivileged opens a socket without CAP_NET_ADMIN.
	DialUnprivileged() (genl.Socket, error)

	// Datagram makes a client on the director itself send a UDP datagram, and returns an
	// error unless it is forwarded.
	Datagram(from, to netip.AddrPort) error

	// Host opens the namespace.
	Host(t testing.TB) *lvs.Host

	// Table returns the text of /proc/net/ip_vs.
	Table(t testing.TB) string

	// Wait lets time pass.
	Wait(d time.Duration)

	// Release returns the release of Linux, or that of the simulator's kernel.
	Release() release.Release
}

const groundDevice = "dummy0"

var groundAddresses = []string{"10.1.0.1/16", "10.2.0.1/16", "fd00:1::1/64"}

// grounds are all that the suite runs on: the kernel inside a kernel, and otherwise
// simulators of several releases.
var grounds = []struct {
	name      string
	simulated bool
	open      func(t testing.TB) ground
}{
	{"kernel", false, openKernelGround},
	{"simulator 6.1.176", true, openSimulatorGround("6.1.176")},
	{"simulator 6.12.117", true, openSimulatorGround("6.12.117")},
	{"simulator 7.2.7", true, openSimulatorGround("7.2.7")},
}

// conform runs a part of the suite on every ground. Each call of fresh gives a
// ground that is new.
func conform(t *testing.T, part func(t *testing.T, fresh func(testing.TB) ground)) {
	t.Helper()
	for _, g := range grounds {
		if g.simulated && testbed.Inside() {
			continue
		}
		t.Run(g.name, func(t *testing.T) {
			if !g.simulated {
				testbed.InKernel(t)
			}
			part(t, g.open)
		})
	}
}

// conformOne runs a single case.
func conformOne(t *testing.T, test func(t *testing.T, g ground)) {
	t.Helper()
	conform(t, func(t *testing.T, fresh func(testing.TB) ground) { test(t, fresh(t)) })
}

// groundClient returns a client of the ground.
func groundClient(t testing.TB, g ground) *lvs.Client {
	t.Helper()
	return clientOf(t, g.Dial)
}

func clientOf(t testing.TB, dial genl.Dialer) *lvs.Client {
	t.Helper()
	c, err := lvs.Open(seam.WithDialer(groundContext(t), dial))
	if err != nil {
		t.Fatalf("opening the client: %v", err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// modeOf parses the text form of a mode, which exists for invalid modes too.
func modeOf(text string) lvs.Mode {
	m, err := lvs.ParseMode(text)
	if err != nil {
		panic(err)
	}
	return m
}

// patience is how long to wait for a kernel. The slowest are emulated, on a busy machine.
const patience = 2 * time.Minute

func groundContext(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return ctx
}

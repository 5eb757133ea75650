package conformance

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/golvs/lvs/internal/release"
	"github.com/golvs/lvs/internal/simipvs"
	"github.com/golvs/lvs/internal/testbed"
)

// expiryTolerance is in seconds.
const expiryTolerance = 2

// simulatorSide is a simulator.
type simulatorSide struct {
	ground
	kernel  *simipvs.Kernel
	elapsed time.Duration
}

func openSimulatorSide(t testing.TB, r release.Release) *simulatorSide {
	t.Helper()
	return newSimulatorSide(openSimulatorGround(r.String())(t).(*simulatorGround))
}

func newSimulatorSide(g *simulatorGround) *simulatorSide {
	g.kernel.SetFreePages(freePages)
	return &simulatorSide{ground: g, kernel: g.kernel}
}

func (s *simulatorSide) ReadFile(path string) ([]byte, error) { return s.kernel.ReadFile(path) }

func (s *simulatorSide) WriteFile(path string, data []byte) error {
	return s.kernel.WriteFile(path, data)
}

func (s *simulatorSide) withFiles(do func(files)) { do(newSimulatedFiles(s.kernel)) }

func (s *simulatorSide) Elapsed() time.Duration { return s.elapsed }

func (s *simulatorSide) Wait(d time.Duration) {
	s.elapsed += d
	s.ground.Wait(d)
}

func (s *simulatorSide) Send(packets []packet) (fates []string) {
	for _, p := range packets {
		fate, _ := s.deliver(p)
		fates = append(fates, fate)
	}
	return fates
}

// deliver returns what shows of a packet behind IPVS, and the verdict on it.
func (s *simulatorSide) deliver(p packet) (fate string, v simipvs.Verdict) {
	err := s.kernel.Deliver(p.raw(), &v)
	if err != nil {
		return err.Error(), v
	}
	switch v.Action {
	case simipvs.Refused, simipvs.Dropped:
		if v.Reason == simipvs.NoTransmitter {
			return fateVanished, v
		}
		return fateStopped, v
	case simipvs.Passed:
		return fateOf(p.from, p.to, startTTL), v
	case simipvs.Replied:
		virtual := v.Virtual
		if p.from.Port() == 0 { // the protocol has none; the connection's is that of another
			virtual = netip.AddrPortFrom(virtual.Addr(), 0)
		}
		return fateOf(virtual, p.to, startTTL), v
	}
	switch v.Method {
	case masquerade:
		return fateOf(p.from, netip.AddrPortFrom(v.Server.Addr(), v.Port), startTTL-1), v
	case localNode:
		return fateOf(p.from, p.to, startTTL), v
	case tunnel:
		return fateTunnelled(tunnelOf(v.Tunnel), v.Server.Addr()), v
	}
	return fateOf(p.from, p.to, startTTL-1), v
}

// raw is the packet as the simulated kernel has it.
func (p packet) raw() *simipvs.Packet {
	raw := &simipvs.Packet{
		Protocol: p.protocol, TCP: p.tcp, Chunks: p.chunks, Mark: p.mark, Length: p.bytes().Length(), Source: &p.from, Destination: &p.to,
	}
	if p.payload != "" {
		raw.Data = strings.Repeat("-", testbed.TagLength) + p.payload + strings.Repeat("\x00", p.data)
	}
	return raw
}

// What happens to a packet: its sender gets an error because it was stopped, or it is
// seen when it leaves. Its TTL shows whether IPVS forwarded it.
const (
	fateStopped  = "stopped"
	fateVanished = "vanished" // its sender does not know
	startTTL     = testbed.TTL
)

func fateOf(from, to netip.AddrPort, ttl int) string {
	return fmt.Sprintf("%s > %s, TTL %d", from, to, ttl)
}

// tunnelOf is how a packet in a tunnel is seen. The kernel sends unknown types by IPIP.
func tunnelOf(t simipvs.Tunnel) string {
	switch t.Type {
	case tunGUE:
		return "gue"
	case tunGRE:
		return "gre"
	}
	return "ipip"
}

func fateTunnelled(tunnel string, to netip.Addr) string { return "by " + tunnel + " to " + to.String() }

// bytes is the packet as it is sent.
func (p packet) bytes() testbed.Packet {
	return testbed.Packet{Protocol: p.protocol, TCP: p.tcp, Chunks: p.chunks, From: p.from, To: p.to, Payload: p.payload, Data: p.data}
}

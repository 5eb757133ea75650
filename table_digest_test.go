package lvs

import (
	"net/netip"
	"slices"
	"testing"
	"time"
)

// Every field that is configured counts in a digest, and no other thing.
func TestDigestService(t *testing.T) {
	base := func() TableService {
		return TableService{
			Service: Service{ID: webID, Scheduler: RR},
			RealServers: []RealServer{
				{Addr: webRIP, Mode: DR(), Weight: 1}, {Addr: webRIP2, Mode: DR(), Weight: 2},
			},
		}
	}
	digestService := func(s TableService) uint64 {
		live := liveService{service: &s.Service, plain: s.RealServers}
		return live.digest(nil)
	}
	seen := map[uint64]string{digestService(base()): "nothing"}
	for _, change := range []struct {
		name string
		edit func(*TableService)
	}{
		{"scheduler", func(s *TableService) { s.Scheduler = WRR }},
		{"flags", func(s *TableService) { s.SchedulerFlags = HashFallback }},
		{"persistence", func(s *TableService) { s.Persistence.Timeout = time.Minute }},
		{"mask", func(s *TableService) { s.Persistence = Persistence{Timeout: time.Minute, Mask: PrefixMask(24)} }},
		{"engine", func(s *TableService) { s.Persistence.Engine = "sip" }},
		{"one packet", func(s *TableService) { s.OnePacket = true }},
		{"one server fewer", func(s *TableService) { s.RealServers = s.RealServers[:1] }},
		{"no server", func(s *TableService) { s.RealServers = nil }},
		{"one server twice", func(s *TableService) { s.RealServers = append(s.RealServers, s.RealServers[0]) }},
		{"address", func(s *TableService) { s.RealServers[0].Addr = netip.MustParseAddrPort("10.2.0.4:80") }},
		{"IPv6", func(s *TableService) { s.RealServers[0].Addr = netip.MustParseAddrPort("[2001:db8::4]:80") }},
		{"port", func(s *TableService) { s.RealServers[0].Addr = netip.MustParseAddrPort("10.2.0.2:81") }},
		{"mode", func(s *TableService) { s.RealServers[0].Mode = NAT() }},
		{"tunnel", func(s *TableService) { s.RealServers[0].Mode = GUE(6080) }},
		{"tunnel's flags", func(s *TableService) { s.RealServers[0].Mode = GUE(6080, TunnelChecksum) }},
		{"weight", func(s *TableService) { s.RealServers[0].Weight = 3 }},
		{"order", func(s *TableService) { slices.Reverse(s.RealServers) }},
		{"weights exchanged", func(s *TableService) { s.RealServers[0].Weight, s.RealServers[1].Weight = 2, 1 }},
		{"upper threshold", func(s *TableService) { s.RealServers[0].UpperThreshold = 5 }},
		{"lower threshold", func(s *TableService) { s.RealServers[0].LowerThreshold = 5 }},
	} {
		s := base()
		change.edit(&s)
		d := digestService(s)
		if other, ok := seen[d]; ok {
			t.Errorf("a change of %s has the digest of a change of %s", change.name, other)
		}
		seen[d] = change.name
	}

	same := base()
	same.RealServers[1].Addr = netip.MustParseAddrPort("[::ffff:10.2.0.3]:80")
	same.Persistence.Mask = PrefixMask(32) // means nothing without a timeout
	if digestService(same) != digestService(base()) {
		t.Error("what means the same to the kernel has two digests")
	}
	if got, want := digestService(base()), uint64(0x4ce20950fcf291f5); got != want {
		t.Errorf("the digest of a saved plan is %#x now, and was %#x", got, want)
	}
}

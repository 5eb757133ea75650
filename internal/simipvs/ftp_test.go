package simipvs

import (
	"net/netip"
	"strings"
	"testing"
)

// What kernels were seen to take, and not to take.
func TestFTPTexts(t *testing.T) {
	const older, newer = false, true
	for _, c := range []struct {
		family uint32
		strict bool
		text   string
		want   string // the target; "": none
	}{
		{inet4, newer, "PORT 10,1,9,1,150,1\r\n", "10.1.9.1:38401"},
		{inet4, newer, "port  10,1,9,1,150,1\r\n", "10.1.9.1:38401"},
		{inet4, newer, "PORTx 10,1,9,1,150,1,7", "10.1.9.1:38401"},
		{inet4, newer, "PORT,10,,9,1,150,\r\n", "10.0.9.1:38400"},
		{inet4, newer, "PORT 10,1,9,1,150,1", ""},
		{inet4, newer, "PORT (10,1,9,1,150,1)\r\n", ""},
		{inet4, newer, "PORT 10,1,9,1,300,1\r\n", ""},
		{inet4, older, "PORT 10,1,9,1,300,1\r\n", "10.1.9.1:11265"},
		{inet4, newer, "EPRT !1!010.1.9.001!0040001!\r\n", "10.1.9.1:40001"},
		{inet4, newer, "EPRT |2|::1|40001|\r\n", ""},
		{inet4, newer, "EPRT |||40001|\r\n", ""},
		{inet4, newer, "EPRT |1|10.1.9.1|70010|\r\n", ""},
		{inet4, older, "EPRT |1|10.1.9.1|70010|\r\n", "10.1.9.1:4474"},
		{inet6, newer, "EPRT |2|fd00:1::0000c:1|40001|\r\n", "[fd00:1::c:1]:40001"},
		{inet6, newer, "EPRT |2|fd00:1::c:1%1|40001|\r\n", ""},
		{inet6, newer, "PORT 10,1,9,1,150,1\r\n", ""},
	} {
		to, ok := ftpReader{c.family, c.strict}.active(c.text)
		got := ""
		if ok {
			got = netip.AddrPortFrom(to.addr, to.port).String()
		}
		if got != c.want {
			t.Errorf("%q: got %q, want %q", c.text, got, c.want)
		}
	}
}

// Whatever is said, a target is inside of it, and of the right family.
func FuzzFTP(f *testing.F) {
	for _, text := range []string{
		"227 Entering Passive Mode (10,2,0,10,200,10).\r\n", "229 (|||51210|)\r\n", "229 (|1|10.2.0.10|5|)", "PORT 10,1,9,1,4,10\r\n",
		"EPRT |2|fd00:1::c:1|1034|\r\n", "EPSV 1\r\n", "x PASV\r\n",
	} {
		f.Add(text, true, false)
		f.Add(text, false, true)
	}
	f.Fuzz(func(t *testing.T, text string, ipv4, strict bool) {
		r := ftpReader{inet6, strict}
		if ipv4 {
			r.family = inet4
		}
		r.passive(text)
		for _, mode := range []ftpMode{ftpActive, ftpPassive, ftpExtended} {
			to, ok := r.reply(text, mode)
			if mode == ftpActive {
				to, ok = r.active(text)
			}
			if !ok || mode == ftpPassive && !ipv4 { // which is never asked for
				continue
			}
			if to.start < 4 || to.end <= to.start || to.end > len(text) {
				t.Fatalf("%q: the target is from %d to %d", text, to.start, to.end)
			}
			if to.addr.IsValid() && to.addr.Is4() != ipv4 {
				t.Fatalf("%q: %s is of the other family", text, to.addr)
			}
			if lead := text[4:to.start]; mode == ftpPassive && strings.ContainsAny(lead, "0123456789") && !strings.Contains(lead, "(") {
				t.Fatalf("%q: a digit is in %q", text, lead)
			}
		}
	})
}

// Sequence numbers behind a packet that grew move, and acknowledgements move back.
func TestShift(t *testing.T) {
	var s shift
	s.add(1000, 5)
	s.add(1000, 5) // it is repeated
	s.add(2000, -7)
	for seq, want := range map[uint32]uint32{1001: 1006, 2000: 2005, 2001: 1999, 3000: 2998} {
		if got := s.sent(seq); got != want {
			t.Errorf("%d leaves as %d, want %d", seq, got, want)
		}
	}
	for ack, want := range map[uint32]uint32{2005: 2000, 2998: 3000} {
		if got := s.acknowledged(ack); got != want {
			t.Errorf("the acknowledgement %d leaves as %d, want %d", ack, got, want)
		}
	}
	for ack, want := range map[uint32]uint32{2000: 1995, 2001: 1996, 2002: 2004} {
		if got := s.expected(ack); got != want {
			t.Errorf("the acknowledgement %d is compared as %d, want %d", ack, got, want)
		}
	}
}

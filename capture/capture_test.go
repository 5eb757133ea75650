package capture_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/golvs/lvs"
	"github.com/golvs/lvs/capture"
	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/gopacket/gopacket/pcapgo"
)

var (
	client   = netip.MustParseAddrPort("192.0.2.1:40000")
	vip      = netip.MustParseAddrPort("198.51.100.1:80")
	director = net.HardwareAddr{2, 0, 0, 0, 0, 1}
	server   = net.HardwareAddr{2, 0, 0, 0, 0, 2}
	noon     = time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)
)

// tcp returns an IP packet.
func tcp(from, to netip.AddrPort, change func(*layers.TCP), data string) []byte {
	segment := &layers.TCP{SrcPort: layers.TCPPort(from.Port()), DstPort: layers.TCPPort(to.Port()), Window: 1}
	change(segment)
	var header gopacket.SerializableLayer
	if from.Addr().Is4() {
		ip := &layers.IPv4{Version: 4, TTL: 64, Protocol: layers.IPProtocolTCP, SrcIP: from.Addr().AsSlice(), DstIP: to.Addr().AsSlice()}
		_ = segment.SetNetworkLayerForChecksum(ip)
		header = ip
	} else {
		ip := &layers.IPv6{Version: 6, HopLimit: 64, NextHeader: layers.IPProtocolTCP, SrcIP: from.Addr().AsSlice(), DstIP: to.Addr().AsSlice()}
		_ = segment.SetNetworkLayerForChecksum(ip)
		header = ip
	}
	return serialize(header, segment, gopacket.Payload(data))
}

func serialize(all ...gopacket.SerializableLayer) []byte {
	b := gopacket.NewSerializeBuffer()
	if err := gopacket.SerializeLayers(b, gopacket.SerializeOptions{FixLengths: true, ComputeChecksums: true}, all...); err != nil {
		panic(err)
	}
	return b.Bytes()
}

func syn(s *layers.TCP) { s.SYN = true }
func ack(s *layers.TCP) { s.ACK = true }

// frame is a record of a capture.
type frame struct {
	after   time.Duration
	data    []byte
	missing int // bytes that the file has not
}

func pcap(t testing.TB, link layers.LinkType, frames ...frame) *bytes.Buffer {
	t.Helper()
	var b bytes.Buffer
	w := pcapgo.NewWriter(&b)
	must(t, w.WriteFileHeader(65536, link))
	for _, f := range frames {
		info := gopacket.CaptureInfo{Timestamp: noon.Add(f.after), CaptureLength: len(f.data) - f.missing, Length: len(f.data)}
		must(t, w.WritePacket(info, f.data[:len(f.data)-f.missing]))
	}
	return &b
}

func pcapng(t testing.TB, link layers.LinkType, frames ...frame) *bytes.Buffer {
	t.Helper()
	var b bytes.Buffer
	w, err := pcapgo.NewNgWriter(&b, link)
	must(t, err)
	for _, f := range frames {
		info := gopacket.CaptureInfo{Timestamp: noon.Add(f.after), CaptureLength: len(f.data) - f.missing, Length: len(f.data)}
		must(t, w.WritePacket(info, f.data[:len(f.data)-f.missing]))
	}
	must(t, w.Flush())
	return &b
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func ethernet(to net.HardwareAddr, kind layers.EthernetType, ip []byte) []byte {
	return serialize(&layers.Ethernet{SrcMAC: server, DstMAC: to, EthernetType: kind}, gopacket.Payload(ip))
}

// The packet of each link is found, with and without padding, tags and missing bytes.
func TestRead(t *testing.T) {
	four := tcp(client, vip, syn, "")
	six := tcp(netip.MustParseAddrPort("[2001:db8::1]:40000"), netip.MustParseAddrPort("[2001:db8:1::1]:80"), syn, "hello")
	tagged := func(ip []byte) []byte {
		return ethernet(director, layers.EthernetTypeDot1Q, append([]byte{0, 7, 0x08, 0x00}, ip...))
	}
	cooked := func(kind byte, ip []byte) []byte {
		return append([]byte{0, kind, 0, 1, 0, 6, 2, 0, 0, 0, 0, 2, 0, 0, 8, 0}, ip...)
	}
	cooked2 := func(kind byte, ip []byte) []byte {
		return append([]byte{8, 0, 0, 0, 0, 0, 0, 3, 0, 1, kind, 6, 2, 0, 0, 0, 0, 2, 0, 0}, ip...)
	}
	const outgoing = 4
	for name, c := range map[string]struct {
		link     layers.LinkType
		frame    frame
		ip       []byte
		to       net.HardwareAddr
		outgoing bool
	}{
		"ethernet":         {layers.LinkTypeEthernet, frame{data: ethernet(director, layers.EthernetTypeIPv4, four)}, four, director, false},
		"padded":           {layers.LinkTypeEthernet, frame{data: ethernet(director, layers.EthernetTypeIPv4, append(bytes.Clone(four), 0, 0, 0, 0, 0, 0))}, four, director, false},
		"VLAN":             {layers.LinkTypeEthernet, frame{data: tagged(four)}, four, director, false},
		"IPv6":             {layers.LinkTypeEthernet, frame{data: ethernet(director, layers.EthernetTypeIPv6, six)}, six, director, false},
		"raw":              {layers.LinkTypeRaw, frame{data: six}, six, nil, false},
		"raw IPv4":         {layers.LinkTypeIPv4, frame{data: four}, four, nil, false},
		"loopback":         {layers.LinkTypeNull, frame{data: append([]byte{2, 0, 0, 0}, four...)}, four, nil, false},
		"cooked":           {layers.LinkTypeLinuxSLL, frame{data: cooked(0, four)}, four, nil, false},
		"cooked, outgoing": {layers.LinkTypeLinuxSLL, frame{data: cooked(outgoing, four)}, four, nil, true},
		"cooked 2":         {layers.LinkTypeLinuxSLL2, frame{data: cooked2(outgoing, four)}, four, nil, true},
	} {
		for format, write := range map[string]func(testing.TB, layers.LinkType, ...frame) *bytes.Buffer{"pcap": pcap, "pcapng": pcapng} {
			t.Run(name+"/"+format, func(t *testing.T) {
				n := 0
				for p, err := range capture.Read(write(t, c.link, c.frame)) {
					must(t, err)
					if n++; !bytes.Equal(p.IP, c.ip) {
						t.Errorf("the packet is % x, want % x", p.IP, c.ip)
					}
					if !p.Time.Equal(noon) || p.Number != 1 || p.Missing != 0 || p.Outgoing != c.outgoing || !bytes.Equal(p.Destination, c.to) {
						t.Errorf("it is %+v", p)
					}
				}
				if n != 1 {
					t.Errorf("%d packets, want 1", n)
				}
			})
		}
	}
}

// A packet that was cut is as long as it was, and says how much is missing.
func TestReadCut(t *testing.T) {
	whole := tcp(client, vip, ack, strings.Repeat("x", 100))
	for p, err := range capture.Read(pcap(t, layers.LinkTypeRaw, frame{data: whole, missing: 90})) {
		must(t, err)
		if len(p.IP) != len(whole) || p.Missing != 90 || !bytes.Equal(p.IP[:len(whole)-90], whole[:len(whole)-90]) {
			t.Errorf("%d bytes, %d of them missing", len(p.IP), p.Missing)
		}
	}
}

// What is not IP is skipped, and counts as a record.
func TestReadOthers(t *testing.T) {
	arp := ethernet(director, layers.EthernetTypeARP, make([]byte, 28))
	ip := ethernet(director, layers.EthernetTypeIPv4, tcp(client, vip, syn, ""))
	n := 0
	for p, err := range capture.Read(pcap(t, layers.LinkTypeEthernet, frame{data: arp}, frame{data: ip[:20]}, frame{data: ip})) {
		must(t, err)
		if n++; p.Number != 3 {
			t.Errorf("record %d, want 3", p.Number)
		}
	}
	if n != 1 {
		t.Errorf("%d packets, want 1", n)
	}
}

// A broken file, and a link that is not known, end with an error that says where.
func TestReadBroken(t *testing.T) {
	good := pcap(t, layers.LinkTypeRaw, frame{data: tcp(client, vip, syn, "")}).Bytes()
	for name, c := range map[string]struct {
		file []byte
		says string
		kind error
	}{
		"empty":    {nil, "capture: the file is not a capture in the format pcap or pcapng, such as tcpdump -w writes: it has fewer than four bytes", io.EOF},
		"a text":   {[]byte("a text that is not a capture"), "capture: the file is not a capture in the format pcap or pcapng", nil},
		"pcapng":   {[]byte{0x0a, 0x0d, 0x0d, 0x0a, 1, 2, 3, 4}, "capture: the file is not a capture in the format pcap or pcapng", nil},
		"cut":      {good[:len(good)-1], "record 1", nil},
		"the link": {pcap(t, layers.LinkTypeIEEE802_11, frame{data: make([]byte, 60)}).Bytes(), "record 1", errors.ErrUnsupported},
	} {
		var last error
		for _, err := range capture.Read(bytes.NewReader(c.file)) {
			last = err
		}
		if last == nil || !strings.Contains(last.Error(), c.says) || c.kind != nil && !errors.Is(last, c.kind) {
			t.Errorf("%s: the error is %v", name, last)
		}
	}
}

// newSimulator returns a simulator that has a service with two servers.
func newSimulator(t testing.TB, o lvs.SimOptions) *lvs.Simulator {
	t.Helper()
	s, err := lvs.NewSimulator(o)
	must(t, err)
	c := s.Client()
	t.Cleanup(func() { c.Close() })
	must(t, c.Do(t.Context(),
		lvs.AddService(lvs.Service{ID: lvs.TCP(vip), Scheduler: lvs.RR}),
		lvs.AddRealServer(lvs.TCP(vip), lvs.RealServer{Addr: netip.MustParseAddrPort("10.0.0.1:80"), Mode: lvs.DR(), Weight: 1}),
		lvs.AddRealServer(lvs.TCP(vip), lvs.RealServer{Addr: netip.MustParseAddrPort("10.0.0.2:80"), Mode: lvs.DR(), Weight: 1}),
	))
	return s
}

// The copies that the director sent on are skipped, by their hardware address.
func TestReplayDirector(t *testing.T) {
	to := func(a net.HardwareAddr, port uint16) []byte {
		return ethernet(a, layers.EthernetTypeIPv4, tcp(netip.AddrPortFrom(client.Addr(), port), vip, syn, ""))
	}
	file := pcap(t, layers.LinkTypeEthernet,
		frame{data: to(director, 1000)}, frame{data: to(server, 1000)}, frame{data: to(director, 1001)}, frame{data: to(server, 1001)})
	var r capture.Report
	for s, err := range capture.Replay(t.Context(), newSimulator(t, lvs.SimOptions{}), file, capture.Options{Director: []net.HardwareAddr{director}}) {
		must(t, err)
		must(t, s.Err)
		r.Add(s)
	}
	if r.Packets != 2 || len(r.Servers) != 2 || r.Servers[0].Connections != 1 || r.Servers[1].Connections != 1 {
		t.Errorf("the report is\n%s", &r)
	}
}

// The simulator's clock follows the capture: a connection that was silent for longer than
// its timeout is gone. Time that goes back does not end the replay.
func TestReplayTime(t *testing.T) {
	s := newSimulator(t, lvs.SimOptions{})
	began := s.Now()
	packet := func(change func(*layers.TCP)) []byte { return tcp(client, vip, change, "") }
	file := pcap(t, layers.LinkTypeRaw,
		frame{0, packet(syn), 0}, frame{time.Second, packet(ack), 0}, frame{0, packet(ack), 0},
		frame{time.Second + 899*time.Second, packet(ack), 0}, frame{2000 * time.Second, packet(ack), 0})
	var got []lvs.Reason
	for step, err := range capture.Replay(t.Context(), s, file, capture.Options{}) {
		must(t, err)
		must(t, step.Err)
		got = append(got, step.Delivery.Verdict.Reason)
	}
	want := []lvs.Reason{lvs.ReasonScheduled, lvs.ReasonConnection, lvs.ReasonConnection, lvs.ReasonConnection, lvs.ReasonNotOpening}
	if len(got) != len(want) {
		t.Fatalf("got %v, want %v", got, want)
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("packet %d: %s, want %s", i+1, got[i], want[i])
		}
	}
	if d := s.Now().Sub(began); d != 2000*time.Second {
		t.Errorf("%s passed, want 2000 s", d)
	}
}

// Options select packets, and mark them.
func TestReplayOptions(t *testing.T) {
	s := newSimulator(t, lvs.SimOptions{})
	c := s.Client()
	defer c.Close()
	must(t, c.Do(t.Context(), lvs.AddService(lvs.Service{ID: lvs.FWMark(7), Scheduler: lvs.RR}),
		lvs.AddRealServer(lvs.FWMark(7), lvs.RealServer{Addr: netip.MustParseAddrPort("10.0.0.7:0"), Mode: lvs.DR(), Weight: 1})))
	file := pcap(t, layers.LinkTypeRaw, frame{data: tcp(client, vip, syn, "")}, frame{data: tcp(netip.AddrPortFrom(client.Addr(), 1), vip, syn, "")})
	o := capture.Options{
		Select: func(p capture.Packet) bool { return p.Number == 2 },
		Mark:   func(capture.Packet) uint32 { return 7 },
	}
	n := 0
	for step, err := range capture.Replay(t.Context(), s, file, o) {
		must(t, err)
		if n++; step.Delivery.Verdict.Service != lvs.FWMark(7) || step.Packet.Number != 2 {
			t.Errorf("it is %+v", step)
		}
	}
	if n != 1 {
		t.Errorf("%d packets, want 1", n)
	}
}

// A simulator with a clock of its own cannot follow, and a context ends the replay.
func TestReplayErrors(t *testing.T) {
	two := []frame{{data: tcp(client, vip, syn, "")}, {time.Second, tcp(client, vip, ack, ""), 0}}
	var last error
	for _, err := range capture.Replay(t.Context(), newSimulator(t, lvs.SimOptions{Clock: time.Now}), pcap(t, layers.LinkTypeRaw, two...), capture.Options{}) {
		last = err
	}
	if !errors.Is(last, lvs.ErrInvalid) {
		t.Errorf("the error is %v", last)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	n := 0
	for _, err := range capture.Replay(ctx, newSimulator(t, lvs.SimOptions{}), pcap(t, layers.LinkTypeRaw, two...), capture.Options{}) {
		n++
		cancel()
		last = err
	}
	if n != 2 || !errors.Is(last, ctx.Err()) {
		t.Errorf("%d steps, the last with %v", n, last)
	}
}

// No file makes a replay panic, or takes more memory than its packets.
func FuzzReplay(f *testing.F) {
	whole := frame{data: tcp(client, vip, syn, "hello")}
	framed := frame{data: ethernet(director, layers.EthernetTypeIPv4, whole.data)}
	f.Add(pcap(f, layers.LinkTypeRaw, whole, frame{time.Hour, whole.data, 9}).Bytes())
	f.Add(pcap(f, layers.LinkTypeEthernet, framed).Bytes())
	f.Add(pcap(f, layers.LinkTypeNull, whole).Bytes())
	f.Add(pcap(f, layers.LinkTypeLinuxSLL2, framed).Bytes())
	f.Add(pcapng(f, layers.LinkTypeEthernet, framed, frame{time.Second, framed.data, 3}).Bytes())
	f.Fuzz(func(t *testing.T, file []byte) {
		var r capture.Report
		for step, err := range capture.Replay(t.Context(), newSimulator(t, lvs.SimOptions{}), bytes.NewReader(file), capture.Options{}) {
			if err != nil {
				break
			}
			r.Add(step)
		}
		if r.String() == "" {
			t.Error("a report without text")
		}
	})
}

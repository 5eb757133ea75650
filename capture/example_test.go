package capture_test

import (
	"bytes"
	"context"
	"fmt"
	"log"
	"net/netip"
	"time"

	"github.com/golvs/lvs"
	"github.com/golvs/lvs/capture"
	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/gopacket/gopacket/pcapgo"
)

// What would source hashing have done with the traffic of a capture?
func ExampleReplay() {
	ctx := context.Background()
	sim, err := lvs.NewSimulator(lvs.SimOptions{})
	if err != nil {
		log.Fatal(err)
	}
	client := sim.Client()
	defer client.Close()
	web := lvs.TCP(netip.MustParseAddrPort("198.51.100.1:80"))
	changes := []lvs.Change{lvs.AddService(lvs.Service{ID: web, Scheduler: lvs.SH})}
	for _, server := range []string{"10.0.0.1:80", "10.0.0.2:80"} {
		changes = append(changes, lvs.AddRealServer(web, lvs.RealServer{Addr: netip.MustParseAddrPort(server), Mode: lvs.DR(), Weight: 1}))
	}
	if err := client.Do(ctx, changes...); err != nil {
		log.Fatal(err)
	}

	var report capture.Report
	for step, err := range capture.Replay(ctx, sim, monday(), capture.Options{}) {
		if err != nil {
			log.Fatal(err)
		}
		report.Add(step)
	}
	fmt.Print(&report)
	// Output:
	// packets  were       because
	// 9        forwarded  the scheduler picked it
	// 9        forwarded  it belongs to a connection
	// 1        passed on  no service is for it
	//
	// real server  service                connections  packets  bytes
	// 10.0.0.1:80  tcp://198.51.100.1:80  5            10       490
	// 10.0.0.2:80  tcp://198.51.100.1:80  4            8        392
}

// monday is a capture in which nine clients open connections, and one of them speaks to
// another host.
func monday() *bytes.Buffer {
	var file bytes.Buffer
	w := pcapgo.NewWriter(&file)
	if err := w.WriteFileHeader(65536, layers.LinkTypeRaw); err != nil {
		log.Fatal(err)
	}
	at := time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)
	write := func(packet []byte) {
		at = at.Add(time.Second)
		if err := w.WritePacket(gopacket.CaptureInfo{Timestamp: at, CaptureLength: len(packet), Length: len(packet)}, packet); err != nil {
			log.Fatal(err)
		}
	}
	for i := range byte(9) {
		from := netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 0, 2, i + 1}), 40000)
		write(tcp(from, vip, syn, ""))
		write(tcp(from, vip, ack, "GET / HTTP/1.0\r\n\r\n"))
	}
	write(tcp(client, netip.MustParseAddrPort("198.51.100.9:80"), syn, ""))
	return &file
}

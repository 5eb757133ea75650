package main

import (
	"encoding/binary"
	"testing"
	"time"

	"github.com/golvs/lvs"
)

// captureFile writes a capture of an Ethernet, and returns its name. A SYN goes to each of
// some hardware addresses, from one port after the other, a second apart.
func captureFile(t *testing.T, to ...byte) string {
	t.Helper()
	const headerEthernet, ethernet, ipv4, tcp = 14, 1, 20, 20
	file := binary.LittleEndian.AppendUint32(nil, 0xa1b2c3d4)
	file = append(file, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0)
	file = binary.LittleEndian.AppendUint32(file, 65535)
	file = binary.LittleEndian.AppendUint32(file, ethernet)
	for i, last := range to {
		for _, n := range []uint32{uint32(i), 0, headerEthernet + ipv4 + tcp, headerEthernet + ipv4 + tcp} {
			file = binary.LittleEndian.AppendUint32(file, n)
		}
		file = append(file, 2, 0, 0, 0, 0, last, 2, 0, 0, 0, 0, 9, 8, 0)
		file = append(file, 0x45, 0, 0, ipv4+tcp, 0, 0, 0, 0, 64, 6, 0, 0, 192, 0, 2, 7, 10, 168, 0, 91)
		binary.BigEndian.PutUint16(file[len(file)-10:], 0xadc6) // the header's checksum
		file = append(file, 0x9c, byte(i), 0, 80, 0, 0, 0, 1, 0, 0, 0, 0, 5<<4, 2, 0xff, 0xff, 0, 0, 0, 0)
	}
	return write(t, string(file))
}

// A capture is delivered to the table of a file, or to a copy of the host's, which stays
// as it is.
func TestReplay(t *testing.T) {
	table := tableOf(t, lvs.Service{ID: web, Scheduler: lvs.RR}, 2)
	four := captureFile(t, 1, 1, 2, 1)
	got := run(t, "", "replay", four, "-table", table)
	expect(t, got, 0, "4        forwarded  the scheduler picked it")
	expect(t, got, 0, "10.168.0.95:80  tcp://10.168.0.91:80  2            2        80")

	got = run(t, "", "replay", four, "-table", table, "-director", "02:00:00:00:00:01", "-kernel", "6.1.176", "-o", "json")
	expect(t, got, 0, `"packets": 3`)

	ctx, sim := site(t)
	client := sim.Client()
	if err := client.AddService(t.Context(), lvs.Service{ID: web, Scheduler: lvs.RR}); err != nil {
		t.Fatal(err)
	}
	expect(t, runWith(ctx, "", "replay", four), 0, "4        refused  the service has no servers")
	if err := sim.Advance(3 * time.Second); err != nil {
		t.Fatal(err)
	}
	stats, err := client.Service(t.Context(), web)
	if err != nil {
		t.Fatal(err)
	}
	if stats.Stats.InPackets != 0 {
		t.Errorf("the host itself has got %d packets", stats.Stats.InPackets)
	}
}

func TestReplayRefuses(t *testing.T) {
	table := tableOf(t, lvs.Service{ID: web, Scheduler: lvs.RR}, 2)
	expect(t, run(t, "", "replay", captureFile(t, 1), "-table", table, "-director", "x"), 1, "-director")
	expect(t, run(t, "", "replay", captureFile(t, 1), "-table", table, "-kernel", "x"), 1, "not a release of Linux")
	expect(t, run(t, "", "replay", table, "-table", table), 1, "not a capture in the format pcap or pcapng")
	expect(t, run(t, "", "replay", t.TempDir()+"/monday.pcap", "-table", "none"), 1, "monday.pcap: no such file")
	expect(t, run(t, "", "replay", "-", "-table", "-"), 1, "the standard input cannot be both")
}

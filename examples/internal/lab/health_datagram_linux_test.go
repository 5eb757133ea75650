package lab

import (
	"context"
	"net"
	"os"
	"testing"

	"github.com/golvs/lvs"
	"github.com/golvs/lvs/health"
	"github.com/golvs/lvs/internal/testbed"
)

// Datagrams of probes are scheduled one by one: each reaches its own server, although
// several come from the same port, and IPVS remembers none.
func TestChecksByDatagram(t *testing.T) {
	testbed.InKernel(t)
	for _, o := range []Options{{Mode: "dr", Family: "4", Checks: true}, {Mode: "gue", Family: "mixed", Checks: true}, {Mode: "ipip", Family: "6"}} {
		t.Run(o.title(), func(t *testing.T) {
			c := newCheckedLab(t, o)
			err := c.Director.Run(func() error {
				return os.WriteFile("/proc/sys/net/ipv4/ip_local_port_range", []byte("40000 40003"), 0)
			})
			if err != nil {
				t.Fatal(err)
			}
			for _, h := range c.Servers {
				var socket net.PacketConn
				err := h.Run(func() (err error) {
					socket, err = net.ListenPacket("udp", c.web.AddrPort().String())
					return err
				})
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { socket.Close() })
				go func() {
					var b [64]byte
					for {
						if _, from, err := socket.ReadFrom(b[:]); err != nil {
							return // it was closed
						} else if _, err := socket.WriteTo([]byte(h.Name), from); err != nil {
							return
						}
					}
				}()
			}
			for n := range 40 {
				server := n % len(c.Servers)
				target, err := c.target(health.ThroughIPVS, server)
				if err != nil {
					t.Fatal(err)
				}
				ctx, cancel := context.WithTimeout(context.Background(), patience)
				_, err = health.UDP{Send: "who", Expect: c.Servers[server].Name}.Probe(ctx, target)
				cancel()
				if err != nil {
					t.Fatal(err)
				}
			}
			for conn, err := range c.Director.Connections(context.Background(), lvs.ConnectionFilter{}) {
				t.Errorf("IPVS remembers %v, %v", conn, err)
			}
		})
	}
}

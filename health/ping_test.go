package health

import (
	"bytes"
	"context"
	"errors"
	"net"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/net/icmp"
)

// pipeNetwork opens connections whose other end a function serves.
type pipeNetwork func(server net.Conn)

func (p pipeNetwork) DialContext(context.Context, string, string) (net.Conn, error) {
	client, server := net.Pipe()
	go p(server)
	return client, nil
}

func TestPing(t *testing.T) {
	for _, family := range []struct {
		addr string
		echo
	}{{"10.1.0.1:0", echo4}, {"[2001:db8::1]:0", echo6}} {
		for _, c := range []struct {
			name    string
			replies func(e echo, request *icmp.Echo) []icmp.Message
			err     string
		}{
			{"answered", func(e echo, r *icmp.Echo) []icmp.Message { return []icmp.Message{{Type: e.reply, Body: r}} }, ""},
			{"behind others'", func(e echo, r *icmp.Echo) []icmp.Message {
				return []icmp.Message{
					{Type: e.request, Body: r},
					{Type: e.reply, Body: &icmp.Echo{ID: r.ID, Seq: r.Seq, Data: []byte("other")}},
					{Type: e.reply, Body: &icmp.Echo{ID: r.ID, Seq: r.Seq, Data: append([]byte("longer"), r.Data...)}},
					{Type: e.reply, Body: r},
				}
			}, ""},
			{"answered to another", func(e echo, r *icmp.Echo) []icmp.Message {
				return []icmp.Message{{Type: e.reply, Body: &icmp.Echo{ID: r.ID, Seq: r.Seq, Data: make([]byte, len(r.Data))}}}
			}, "wait for an echo reply"},
			{"with another identifier", func(e echo, r *icmp.Echo) []icmp.Message {
				return []icmp.Message{{Type: e.reply, Body: &icmp.Echo{ID: r.ID + 1, Seq: r.Seq, Data: r.Data}}}
			}, ""},
			{"not answered", func(echo, *icmp.Echo) []icmp.Message { return nil }, "wait for an echo reply"},
		} {
			t.Run(family.addr+" "+c.name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					network := pipeNetwork(func(server net.Conn) {
						b := make([]byte, 2000)
						n, err := server.Read(b)
						if err != nil {
							return
						}
						m, err := icmp.ParseMessage(family.protocol, b[:n])
						if err != nil || m.Type != family.request {
							return
						}
						_, _ = server.Write([]byte{1, 2, 3}) // is not a message
						for _, reply := range c.replies(family.echo, m.Body.(*icmp.Echo)) {
							if text, err := reply.Marshal(nil); err == nil {
								_, _ = server.Write(text)
							}
						}
					})
					ctx, cancel := context.WithTimeout(t.Context(), time.Second)
					defer cancel()
					_, err := Ping{}.Probe(ctx, Target{Addr: netip.MustParseAddrPort(family.addr), Network: network})
					if (err == nil) != (c.err == "") || err != nil && (!strings.Contains(err.Error(), c.err) || !errors.Is(err, context.DeadlineExceeded)) {
						t.Errorf("error %v, want %q", err, c.err)
					}
				})
			})
		}
	}
}

func FuzzPingReply(f *testing.F) {
	f.Add([]byte{0x45, 0, 0, 28, 0, 0, 0, 0, 64, 1, 0, 0, 10, 1, 0, 1, 10, 1, 0, 2, 0, 0, 0, 0, 0, 1, 0, 1})
	f.Add([]byte{129, 0, 0, 0, 0, 1, 0, 1})
	f.Fuzz(func(t *testing.T, packet []byte) {
		for _, e := range []echo{echo4, echo6} {
			client, server := net.Pipe()
			go func() {
				_, _ = server.Write(packet)
				server.Close()
			}()
			if err := e.await(t.Context(), client, []byte("sixteen bytes...")); err == nil && !bytes.HasSuffix(packet, []byte("sixteen bytes...")) {
				t.Errorf("%x is the answer", packet)
			}
			client.Close()
		}
	})
}

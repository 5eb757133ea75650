package conformance

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"runtime"
	"testing"
	"time"

	"github.com/golvs/lvs"
	"github.com/golvs/lvs/internal/release"

	"golang.org/x/sys/unix"

	"github.com/golvs/lvs/internal/genl"
	"github.com/golvs/lvs/internal/seam"
	"github.com/golvs/lvs/internal/testbed"
)

// kernelGround is a network namespace of the kernel that the tests run in.
type kernelGround struct {
	ns      *testbed.Namespace
	dial    genl.Dialer
	release release.Release
}

func openKernelGround(t testing.TB) ground {
	t.Helper()
	ns := testbed.New(t)
	ns.Dummy(groundDevice, groundAddresses...)
	return groundOf(t, ns)
}

// groundOf returns the IPVS of a namespace.
func groundOf(t testing.TB, ns *testbed.Namespace) *kernelGround {
	t.Helper()
	dial := func() (s genl.Socket, err error) {
		err = ns.Do(func() error {
			s, err = genl.Dial()
			return err
		})
		return s, err
	}
	t.Cleanup(func() { emptyTable(dial) })
	return &kernelGround{ns, dial, thisRelease(t)}
}

// emptyTable flushes what a test leaves. The kernel would need minutes to remove
// thousands of services with the namespace, and would keep their modules.
func emptyTable(dial genl.Dialer) {
	c, err := lvs.Open(seam.WithDialer(context.Background(), dial))
	if err != nil {
		return
	}
	defer c.Close()
	_ = c.Flush(context.Background()) // a leftover only makes others slower
}

func (g *kernelGround) Dial() (genl.Socket, error) { return g.dial() }

func (g *kernelGround) Host(t testing.TB) *lvs.Host {
	t.Helper()
	h, err := lvs.OpenHost(groundContext(t), lvs.InNamespaceFile(g.ns.File))
	if err != nil {
		t.Fatalf("opening the host: %v", err)
	}
	runtime.KeepAlive(g)
	t.Cleanup(func() { h.Close() })
	return h
}

func (g *kernelGround) Table(t testing.TB) string {
	t.Helper()
	var text []byte
	must(t, g.ns.Do(func() (err error) {
		text, err = os.ReadFile("/proc/thread-self/net/ip_vs")
		return err
	}))
	return string(text)
}

func (g *kernelGround) Wait(d time.Duration) { time.Sleep(d) }

func (g *kernelGround) Release() release.Release { return g.release }

func (g *kernelGround) DialUnprivileged() (genl.Socket, error) {
	s, err := g.dial()
	return unprivilegedSocket{s}, err
}

// unprivilegedSocket sends from a thread that has dropped the capability: the
// kernel checks the sender of each message.
type unprivilegedSocket struct{ genl.Socket }

func (s unprivilegedSocket) Send(datagram []byte) error {
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // for ever: nothing else may run on that thread
		err := dropCapability(unix.CAP_NET_ADMIN)
		if err == nil {
			err = s.Socket.Send(datagram)
		}
		done <- err
	}()
	return <-done
}

// dropCapability drops one of the capabilities 0 to 31 of the calling thread.
func dropCapability(capability uint) error {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if err := unix.Capget(&header, &data[0]); err != nil {
		return err
	}
	data[0].Effective &^= 1 << capability
	data[0].Permitted &^= 1 << capability
	data[0].Inheritable &^= 1 << capability
	return unix.Capset(&header, &data[0])
}

func (g *kernelGround) Datagram(from, to netip.AddrPort) error {
	return g.ns.Do(func() error {
		conn, err := net.DialUDP("udp", net.UDPAddrFromAddrPort(from), net.UDPAddrFromAddrPort(to))
		if err != nil {
			return err
		}
		defer conn.Close()
		_, err = conn.Write([]byte("hello"))
		return err
	})
}

func thisRelease(t testing.TB) release.Release {
	t.Helper()
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		t.Fatal(err)
	}
	text := release.OfKernel(unix.ByteSliceToString(u.Release[:]), unix.ByteSliceToString(u.Version[:]))
	r, err := release.Parse(text)
	if err != nil {
		t.Fatalf("the kernel's release %q: %v", text, err)
	}
	return r
}

// A client can be opened in a namespace by descriptor, by path, and from a thread in
// it; each sees the same table, and no other.
func TestConformanceOpen(t *testing.T) {
	testbed.InKernel(t)
	g := openKernelGround(t).(*kernelGround)
	elsewhere := groundClient(t, openKernelGround(t))
	ctx := groundContext(t)

	web := lvs.TCP(netip.MustParseAddrPort("10.1.0.1:80"))
	if err := groundClient(t, g).AddService(ctx, lvs.Service{ID: web}); err != nil {
		t.Fatal(err)
	}
	for name, open := range map[string]func() (*lvs.Client, error){
		"descriptor": func() (*lvs.Client, error) { return lvs.Open(ctx, lvs.InNamespaceFile(g.ns.File)) },
		"path": func() (*lvs.Client, error) {
			return lvs.Open(ctx, lvs.InNamespace(fmt.Sprintf("/proc/self/fd/%d", g.ns.File.Fd())))
		},
		"thread": func() (c *lvs.Client, err error) {
			err = g.ns.Do(func() error { c, err = lvs.Open(ctx); return err })
			return c, err
		},
	} {
		t.Run(name, func(t *testing.T) {
			c, err := open()
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			if _, err := c.Service(ctx, web); err != nil {
				t.Error(err)
			}
		})
	}
	runtime.KeepAlive(g)
	if all, err := elsewhere.Services(ctx); err != nil || len(all) != 0 {
		t.Errorf("another namespace has %v, %v", all, err)
	}
}

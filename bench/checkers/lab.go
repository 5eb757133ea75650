//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	"github.com/golvs/lvs"
	"github.com/golvs/lvs/internal/netspace"
)

// vip is where clients connect.
var vip = netip.MustParseAddrPort("10.168.0.91:80")

// lab is a director, a host that has the addresses of all real servers, and clients.
type lab struct {
	wires                     *netspace.Wires
	director, servers, client *netspace.Namespace
	table                     *lvs.Client
	web                       []*webServer
	asked                     atomic.Int64 // connections to all real servers
	folder                    string
	check                     check
	config                    string // path of the configuration
}

// newLab makes the network and starts the web servers.
func newLab(ctx context.Context, servers int, c check) (l *lab, err error) {
	l = &lab{check: c}
	defer func() {
		if err != nil {
			l.close()
		}
	}()
	if l.folder, err = os.MkdirTemp("", "checkers"); err != nil {
		return l, err
	}
	if err := l.connect(ctx, servers); err != nil {
		return l, err
	}
	if l.table, err = lvs.Open(ctx, lvs.InNamespaceFile(l.director.File)); err != nil {
		return l, err
	}
	for i := range servers {
		w := &webServer{addr: rip(i), in: l.servers, check: c, asked: &l.asked}
		if err := w.start(); err != nil {
			return l, err
		}
		l.web = append(l.web, w)
	}
	l.config = filepath.Join(l.folder, "keepalived.conf")
	return l, os.WriteFile(l.config, []byte(c.configuration(servers)), 0o644)
}

// connect makes the hosts and joins them.
func (l *lab) connect(ctx context.Context, servers int) (err error) {
	if l.wires, err = netspace.NewWires(); err != nil {
		return err
	}
	for _, host := range []struct {
		ns    **netspace.Namespace
		name  string
		plugs []string
		lines []string
	}{
		{&l.director, "director", []string{"outer", "inner"}, []string{
			"ip address add 10.168.0.91/24 dev eth0", "ip address add 10.1.0.254/24 dev eth1", "sysctl -qw net.ipv4.ip_forward=1"}},
		{&l.servers, "servers", []string{"inner"}, append(serverAddresses(servers), "ip route add default via 10.1.0.254")},
		{&l.client, "client", []string{"outer"}, []string{"ip address add 10.168.0.10/24 dev eth0", "sysctl -qw net.ipv4.tcp_tw_reuse=1"}},
	} {
		if *host.ns, err = netspace.New(); err != nil {
			return err
		}
		lines := []string{"ip link set lo up"}
		for i, network := range host.plugs {
			name := fmt.Sprintf("eth%d", i)
			if err := l.wires.Plug(network, *host.ns, host.name+"-"+name, name); err != nil {
				return err
			}
			lines = append(lines, "ip link set "+name+" up")
		}
		if err := commands(ctx, *host.ns, append(lines, host.lines...)...); err != nil {
			return err
		}
	}
	return nil
}

func serverAddresses(servers int) (lines []string) {
	for i := range servers {
		lines = append(lines, fmt.Sprintf("ip address add %s/24 dev eth0", rip(i).Addr()))
	}
	return lines
}

// commands runs commands on a host.
func commands(ctx context.Context, ns *netspace.Namespace, lines ...string) error {
	return ns.Do(func() error {
		for _, line := range lines {
			words := strings.Fields(line)
			if out, err := exec.CommandContext(ctx, words[0], words[1:]...).CombinedOutput(); err != nil {
				return fmt.Errorf("%s: %w: %s", line, err, out)
			}
		}
		return nil
	})
}

// rip returns the address of a real server.
func rip(i int) netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 1, 0, byte(i + 1)}), 80)
}

func (l *lab) close() {
	for _, w := range l.web {
		w.stop()
	}
	if l.table != nil {
		// A namespace with services takes long to end.
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		_ = l.table.Flush(ctx)
		l.table.Close()
	}
	for _, ns := range []*netspace.Namespace{l.director, l.servers, l.client} {
		if ns != nil {
			ns.Close()
		}
	}
	if l.wires != nil {
		l.wires.Close()
	}
	_ = os.RemoveAll(l.folder)
}

// webServer gives one answer for each connection.
type webServer struct {
	addr     netip.AddrPort
	check    check
	asked    *atomic.Int64
	in       *netspace.Namespace
	listener net.Listener
}

func (w *webServer) start() error {
	return w.in.Do(func() (err error) {
		if w.listener, err = net.Listen("tcp", w.addr.String()); err != nil {
			return err
		}
		go w.answer()
		return nil
	})
}

// answer answers until the listener is closed.
func (w *webServer) answer() {
	for l := w.listener; ; {
		conn, err := l.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err == nil {
			w.asked.Add(1)
			_ = conn.(*net.TCPConn).SetLinger(0)
			go w.hold(conn.(*net.TCPConn))
		}
	}
}

// hold answers, and keeps the connection until the client ends it.
func (w *webServer) hold(conn *net.TCPConn) {
	defer conn.Close()
	_ = conn.SetReadDeadline(time.Now().Add(10 * time.Minute))
	w.check.serve(conn)
	_, _ = conn.Read(make([]byte, 1))
}

func (w *webServer) stop() { w.listener.Close() }

package main

import (
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golvs/lvs/internal/testbed"
)

// loadModules loads the modules of tunnels, once.
var loadModules = sync.OnceValue(func() error {
	out, err := exec.Command("modprobe", append([]string{"-a"}, tunnelModules...)...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("modprobe: %w\n%s", err, out)
	}
	return nil
})

// addressed returns a namespace with the addresses that the cases presume. It has no IPv6,
// whose addresses come automatically, and late.
func addressed(t *testing.T) (ns *testbed.Namespace, netns string) {
	t.Helper()
	ns, netns = kernel(t)
	if err := loadModules(); err != nil {
		t.Fatal(err)
	}
	ns.Run("sysctl", "-qw", "net.ipv6.conf.all.disable_ipv6=1", "net.ipv6.conf.default.disable_ipv6=1")
	ns.NIC("eth0", "10.168.0.90/24")
	ns.NIC("eth1", "192.168.0.11/24")
	return ns, netns
}

// In a kernel, a set-up is applied and undone as on the simulator. Other kernels than the
// newest take several times as long, and try the two that differ most.
func TestSetupKernel(t *testing.T) {
	for i, args := range []string{
		"dr-director -vip 10.168.0.91 -interface eth0 -forward",
		"tun-server -vip 10.168.0.91 -mode gue:6080 -local 10.168.0.90",
		"dr-server -vip 10.168.0.91",
		"nat-director -vip 192.168.0.12 -interface eth1 -inside eth0",
		"nat-server -director 10.168.0.91",
		"tun-director -vip 10.168.0.91 -interface eth0",
	} {
		if i > 1 && !testbed.IsNewest() {
			break
		}
		t.Run(args, func(t *testing.T) {
			ns, netns := addressed(t)
			if strings.HasPrefix(args, "nat-server") {
				ns.Run("ip", "route", "add", "default", "via", "10.168.0.1")
			}
			before := ns.Dump()
			cycle(t, t.Context(), append(strings.Fields(args), "-netns", netns)...)
			testbed.Unchanged(t, "the host", before, ns.Dump())
		})
	}
}

// A kernel that cannot do a part does nothing, and says what is missing.
func TestSetupKernelMasquerade(t *testing.T) {
	ns, netns := addressed(t)
	args := strings.Fields("nat-director -vip 192.168.0.12 -interface eth1 -network 10.168.0.0/24 -masquerade -netns " + netns)
	before := ns.Dump()
	if testbed.HasNFT() {
		cycle(t, t.Context(), args...)
	} else {
		args = append([]string{"setup"}, append(args, "-plan", t.TempDir()+"/plan", "apply")...)
		expect(t, run(t, "", args...), 1, "nft_chain_nat")
	}
	testbed.Unchanged(t, "the host", before, ns.Dump())
}

// The plan of another namespace is refused.
func TestSetupKernelOtherHost(t *testing.T) {
	_, one := addressed(t)
	_, two := addressed(t)
	args := []string{"setup", "dr-server", "-vip", "10.168.0.91", "-plan", t.TempDir() + "/plan"}
	expect(t, run(t, "", append(args, "apply", "-netns", one)...), 2, "# applied")
	expect(t, run(t, "", append(args, "undo", "-netns", two)...), 1, "another network namespace")
	expect(t, run(t, "", append(args, "undo", "-netns", one)...), 2, "# undone")
}

// Traffic flows by direct routing between apply and undo.
func TestSetupKernelTraffic(t *testing.T) {
	client, director, server := kernelHost(t), kernelHost(t), kernelHost(t)
	lan, lanNetns := kernel(t)
	lan.Run("ip", "link", "add", "br0", "type", "bridge")
	lan.Run("ip", "link", "set", "br0", "up")
	for i, h := range []host{client, director, server} {
		port := fmt.Sprintf("p%d", i)
		h.ns.Run("ip", "link", "add", "eth0", "type", "veth", "peer", "name", port, "netns", ofTest(lanNetns))
		h.ns.Run("ip", "addr", "add", fmt.Sprintf("10.168.0.%d/24", 92+i), "dev", "eth0")
		h.ns.Run("ip", "link", "set", "eth0", "up")
		lan.Run("ip", "link", "set", port, "master", "br0", "up")
	}
	director.ns.Run("ipvsadm", "-A", "-t", "10.168.0.91:80", "-s", "rr")
	director.ns.Run("ipvsadm", "-a", "-t", "10.168.0.91:80", "-r", "10.168.0.94", "-g")
	server.listen(t)
	plans := t.TempDir()
	setUp := func(action string, status int) {
		t.Helper()
		expect(t, run(t, "", "setup", "dr-director", "-vip", "10.168.0.91", "-interface", "eth0", "-netns", director.netns, "-plan", plans+"/director", action), status, "")
		expect(t, run(t, "", "setup", "dr-server", "-vip", "10.168.0.91", "-netns", server.netns, "-plan", plans+"/server", action), status, "")
	}
	if err := client.visit(300 * time.Millisecond); err == nil {
		t.Fatal("traffic flows before apply")
	}
	setUp("apply", 2)
	if err := client.visit(20 * time.Second); err != nil {
		t.Error(err)
	}
	setUp("undo", 2)
	if err := client.visit(300 * time.Millisecond); err == nil {
		t.Error("traffic flows after undo")
	}
}

// host is a namespace and what -netns calls it.
type host struct {
	ns    *testbed.Namespace
	netns string
}

func kernelHost(t *testing.T) host {
	ns, netns := kernel(t)
	return host{ns, netns}
}

// ofTest returns the path of a namespace for other processes.
func ofTest(netns string) string {
	return strings.Replace(netns, "self", fmt.Sprint(os.Getpid()), 1)
}

// listen greets visitors until the test ends.
func (h host) listen(t *testing.T) {
	t.Helper()
	var l net.Listener
	err := h.ns.Do(func() (err error) {
		l, err = net.Listen("tcp4", ":80")
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = io.WriteString(c, "hello")
			c.Close()
		}
	}()
}

// visit waits for a greeting at the VIP.
func (h host) visit(patience time.Duration) error {
	return h.ns.Do(func() error {
		c, err := net.DialTimeout("tcp4", "10.168.0.91:80", patience)
		if err != nil {
			return err
		}
		defer c.Close()
		_ = c.SetDeadline(time.Now().Add(patience))
		text, err := io.ReadAll(c)
		if err == nil && string(text) != "hello" {
			err = fmt.Errorf("got %q", text)
		}
		return err
	})
}

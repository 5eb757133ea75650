package main

import (
	"os"
	"strings"
	"testing"

	"github.com/golvs/lvs/examples/internal/role/roletest"
)

func TestInKernel(t *testing.T) {
	ns, host := roletest.InKernel(t)
	ns.Run("ip", "route", "add", "default", "via", "10.168.0.1")
	roletest.Cycle(t, program(), host, "-role", "realserver")
	ns.Run("ip", "route", "del", "default", "via", "10.168.0.1")
	if strings.HasPrefix(os.Getenv("LVS_KERNEL_NAME"), "qemu") {
		roletest.Cycle(t, program(), host)
		return
	}
	roletest.Cycle(t, program(), host, "-masquerade=false")
	if status, said := roletest.Run(t, program(), host, "-plan", t.TempDir()+"/plan"); status != 1 || !strings.Contains(said, "nft_chain_nat") {
		t.Errorf("in a kernel without NAT by nftables: status %d:\n%s", status, said)
	}
}

package main

import (
	"context"
	"io"
	"strings"
	"testing"

	"github.com/golvs/lvs/internal/testbed"
)

func TestBadArguments(t *testing.T) {
	for args, want := range map[string]string{
		"-mode tun":               `mode "tun": want one of dr, nat`,
		"-family 5":               `family "5": want one of 4, 6, mixed`,
		"-mode nat -family mixed": "only tunnels mix",
		"-requests 0":             "-requests 0: want at least 1",
		"-mode gue -encrypt":      "mode gue cannot be encrypted",
		"-servers 51":             "51 real servers: want 1 to 50",
		"more":                    `unexpected argument "more"`,
	} {
		var problems strings.Builder
		if status := command(context.Background(), strings.Fields(args), io.Discard, &problems); status != 2 || !strings.Contains(problems.String(), want) {
			t.Errorf("lab %s: exit status %d, want 2, and %q in\n%s", args, status, want, problems.String())
		}
	}
}

func TestLab(t *testing.T) {
	testbed.InKernel(t)
	var out, problems strings.Builder
	args := strings.Fields("-mode ipip -requests 4 -commands")
	if status := command(context.Background(), args, &out, &problems); status != 0 {
		t.Fatalf("exit status %d:\n%s\n%s", status, out.String(), problems.String())
	}
	for _, want := range []string{
		"tunnel by IPIP in IPv4, rr, service tcp://10.168.0.91:80",
		"├── director  eth0  DIP 10.168.0.90  VIP 10.168.0.91",
		"├── rs1       eth0  RIP 10.168.1.94\n",
		"└── shared    eth0  10.168.1.190\n",
		"  10.168.1.94              2 times\n  10.168.1.95              2 times\n",
		"ip link set dev tunl0 up  # ",
		"192.168.0.201:10000      rs2, which saw 192.168.0.201:10000\n  192.168.0.202:10000      rs1, which saw",
		"TCP  10.168.0.91:80 rr\n  -> 10.168.1.94:80               Tunnel  1      0          2",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("want %q in\n%s", want, out.String())
		}
	}
}

func TestLabEncrypted(t *testing.T) {
	testbed.InKernel(t)
	var out, problems strings.Builder
	status := command(context.Background(), strings.Fields("-mode ipip -encrypt -requests 2"), &out, &problems)
	if status != 0 || !strings.Contains(out.String(), " packets of ESP\n") {
		t.Fatalf("exit status %d:\n%s\n%s", status, out.String(), problems.String())
	}
}

func TestLabInterrupted(t *testing.T) {
	testbed.InKernel(t)
	ctx, cancel := context.WithCancel(context.Background())
	var problems strings.Builder
	status := command(ctx, []string{"-requests", "1000"}, &interrupts{"which saw", cancel}, &problems)
	if status != 1 || problems.String() != "lab: context canceled\n" {
		t.Errorf("exit status %d, %s", status, problems.String())
	}
}

// interrupts is the output of a command that is interrupted when it has written
// something.
type interrupts struct {
	at     string
	cancel func()
}

func (w *interrupts) Write(text []byte) (int, error) {
	if strings.Contains(string(text), w.at) {
		w.cancel()
	}
	return len(text), nil
}

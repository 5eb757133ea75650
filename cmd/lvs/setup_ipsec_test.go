package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/golvs/lvs"
)

// A saved plan has no keys. The next run gives them again, to finish what was interrupted.
func TestSetupIPsec(t *testing.T) {
	ctx, _ := site(t, tunnelModules...)
	secret := strings.Repeat("5a", lvs.IPsecKeySize)
	key := write(t, secret+"\n")
	folder := t.TempDir()
	plan, old := filepath.Join(folder, "plan"), filepath.Join(folder, "old")
	tunnel := "director=10.168.0.90,server=10.168.0.94,inner=10.99.0.94,spi=256,key=" + key
	args := []string{"setup", "tun-director", "-vip", "10.168.0.91", "-interface", "eth0", "-ipsec", tunnel, "-plan"}
	before := runWith(ctx, "", append(args, plan)...)
	expect(t, before, 0, "ip xfrm state add src 10.168.0.90 dst 10.168.0.94")
	expect(t, runWith(ctx, "", append(args, plan, "apply")...), 2, "# applied")
	text, err := os.ReadFile(plan)
	if err == nil {
		err = os.WriteFile(old, text, 0o600)
	}
	if err != nil || strings.Contains(string(text), secret) || strings.Contains(before.out, secret) {
		t.Fatalf("the key is in the plan, or cannot be looked for: %v", err)
	}
	expect(t, runWith(ctx, "", append(args, plan, "apply")...), 0, "# nothing to do")
	expect(t, runWith(ctx, "", append(args, plan, "undo")...), 2, "# undone")
	expect(t, runWith(ctx, "", append(args, old, "apply")...), 2, "# applied")
	expect(t, runWith(ctx, "", append(args, old, "undo")...), 2, "# undone")
	if after := runWith(ctx, "", append(args, plan)...); after.out != before.out {
		t.Errorf("before\n%safter\n%s", before.out, after.out)
	}
	short := strings.Replace(tunnel, key, write(t, "5a"), 1)
	expect(t, runWith(ctx, "", "setup", "tun-server", "-vip", "10.168.0.91", "-ipsec", short), 1, "has 1 bytes: want 64")
}

package main

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
)

func writeIndex(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestLoadOrder(t *testing.T) {
	dir := writeIndex(t, map[string]string{
		"modules.dep": "kernel/ip_vs.ko: kernel/nf_conntrack.ko kernel/libcrc32c.ko kernel/nf_defrag_ipv4.ko\n" +
			"kernel/nf_conntrack.ko: kernel/libcrc32c.ko kernel/nf_defrag_ipv4.ko\n" +
			"kernel/libcrc32c.ko:\nkernel/nf_defrag_ipv4.ko:\nkernel/crypto-x.ko.xz:\n",
		"modules.alias":   "# comment\nalias net-pf-16-proto-16-family-IPVS ip_vs\nalias pci:v*d00 crypto_x\nalias gone-* not_here\n",
		"modules.builtin": "kernel/fs/ext4.ko\n",
	})
	x, err := readModuleIndex(dir)
	if err != nil {
		t.Fatal(err)
	}
	vs := []string{"kernel/nf_defrag_ipv4.ko", "kernel/libcrc32c.ko", "kernel/nf_conntrack.ko", "kernel/ip_vs.ko"}
	tests := []struct {
		name string
		want []string
	}{
		{"ip_vs", vs},
		{"ip-vs", vs},
		{"net-pf-16-proto-16-family-IPVS", vs},
		{"crypto_x", []string{"kernel/crypto-x.ko.xz"}},
		{"pci:v12d00", []string{"kernel/crypto-x.ko.xz"}},
		{"ext4", nil},
	}
	for _, tt := range tests {
		got, err := x.loadOrder(tt.name)
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
		}
		for i := range got {
			got[i], _ = filepath.Rel(dir, got[i])
			got[i] = filepath.ToSlash(got[i])
		}
		if !slices.Equal(got, tt.want) {
			t.Errorf("%s: got %q, want %q", tt.name, got, tt.want)
		}
	}
	for _, name := range []string{"nosuch", "gone-1", ""} {
		if got, err := x.loadOrder(name); err == nil {
			t.Errorf("%q: got %q, want an error", name, got)
		}
	}
}

func TestReadModuleIndexMissing(t *testing.T) {
	if _, err := readModuleIndex(t.TempDir()); err == nil {
		t.Error("a folder without modules.dep was accepted")
	}
}

func TestParseDevnames(t *testing.T) {
	got := parseDevnames([]byte("# comment\ntun net/tun c10:200\nloop loop-control b7:1\nbad ../etc c1:1\nbad x y\nbad\n"))
	want := []deviceNode{{"net/tun", true, 10, 200}, {"loop-control", false, 7, 1}}
	if !slices.Equal(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestWantedModule(t *testing.T) {
	tests := map[string]bool{
		"kernel/net/netfilter/ipvs/ip_vs.ko":     true,
		"kernel/drivers/net/dummy.ko.xz":         true,
		"kernel/drivers/net/ethernet/e1000.ko":   false,
		"kernel/drivers/char/virtio_console.ko":  true,
		"kernel/drivers/char/tpm/tpm.ko":         false,
		"kernel/drivers/net/wireguard/wg.ko":     true,
		"kernel/sound/virtio/virtio_snd.ko":      false,
		"modules.builtin":                        true,
		"modules.d/x":                            false,
		"":                                       false,
		"kernel":                                 false,
		"build":                                  false,
		"kernel/fs/overlayfs/overlay.ko.xz":      true,
		"kernel/drivers/virtio/virtio_pci.ko.xz": true,
	}
	for name, want := range tests {
		if got := wantedModule(name); got != want {
			t.Errorf("%q: got %v, want %v", name, got, want)
		}
	}
}

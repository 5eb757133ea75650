package main

import (
	"slices"
	"testing"
)

func TestGuestEnv(t *testing.T) {
	got := guestEnv([]string{"HOME=/h", "PATH=/opt/bin:/usr/bin", "TMPDIR=/host", "LVS_KERNEL=old", "EMPTY="}, "6.1", "6.1.176")
	want := []string{"HOME=/h", "EMPTY=",
		"PATH=/opt/bin:/usr/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/sbin:/bin:" + appletDir,
		"TMPDIR=" + guestTmp, "LVS_KERNEL=6.1.176", "LVS_KERNEL_NAME=6.1"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

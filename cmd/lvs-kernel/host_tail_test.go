package main

import (
	"strings"
	"testing"
)

func TestTail(t *testing.T) {
	var tl tail
	for range 3 {
		if n, err := tl.Write([]byte(strings.Repeat("x", tailSize/2))); n != tailSize/2 || err != nil {
			t.Fatalf("Write: %d, %v", n, err)
		}
	}
	if _, err := tl.Write([]byte("end")); err != nil {
		t.Fatal(err)
	}
	if got := tl.String(); len(got) != tailSize || !strings.HasSuffix(got, "xend") {
		t.Errorf("got %d bytes that end in %q", len(got), got[len(got)-4:])
	}
}

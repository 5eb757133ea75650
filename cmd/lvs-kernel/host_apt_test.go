package main

import (
	"slices"
	"strings"
	"testing"
)

func TestDebianMirrors(t *testing.T) {
	out := "nodistro http://node.test/\nbookworm http://m.test/debian/\nbookworm-updates http://m.test/debian/\n" +
		"bookworm-security http://s.test/security/\njammy http://u.test/\nbroken\n"
	main, security := debianMirrors([]byte(out))
	if main != "http://m.test/debian/" || security != "http://s.test/security/" {
		t.Errorf("got %q and %q", main, security)
	}
	if main, security := debianMirrors([]byte("jammy http://u.test/\n")); main != "" || security != "" {
		t.Errorf("found %q and %q where there is no Debian", main, security)
	}
}

func TestSourceLine(t *testing.T) {
	got := sourceLine("http://m.test/debian/", "sid")
	if !strings.HasPrefix(got, "deb [target=Packages") || !strings.HasSuffix(got, "] http://m.test/debian/ sid main\n") {
		t.Errorf("got %q", got)
	}
}

func TestParseShow(t *testing.T) {
	version, depends := parseShow("Package: linux-image-amd64\nVersion: 6.1.192-2\nDepends: linux-image-6.1.0-56-amd64 (= 6.1.192-2), x\n Depends: no\n")
	if version != "6.1.192-2" || !slices.Equal(depends, []string{"linux-image-6.1.0-56-amd64", "x"}) {
		t.Errorf("got %q and %q", version, depends)
	}
	if version, depends := parseShow(""); version != "" || depends != nil {
		t.Errorf("got %q and %q from nothing", version, depends)
	}
}

func TestLastLines(t *testing.T) {
	if got := lastLines("a\nb\nc\n", 2); got != "b; c" {
		t.Errorf("got %q", got)
	}
	if got := lastLines("", 2); got != "" {
		t.Errorf("got %q", got)
	}
}

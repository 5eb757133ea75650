package main

import (
	"fmt"
	"os/exec"
	"strings"
)

// toolPackages names the Debian package of each program of the host that the
// runner may start.
var toolPackages = map[string]string{
	"apt-get":            "apt",
	"apt-cache":          "apt",
	"dpkg-deb":           "dpkg",
	"xz":                 "xz-utils",
	"qemu-system-x86_64": "qemu-system-x86",
}

// needTools reports the programs that are missing, and how to install them.
func needTools(names ...string) error {
	var missing, packages []string
	for _, n := range names {
		if _, err := exec.LookPath(n); err != nil {
			missing = append(missing, n)
			packages = append(packages, toolPackages[n])
		}
	}
	if missing == nil {
		return nil
	}
	return fmt.Errorf("this machine lacks %s; install with: apt-get install --no-install-recommends %s",
		strings.Join(missing, ", "), strings.Join(packages, " "))
}

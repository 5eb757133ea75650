package main

import (
	"fmt"
	"os"
	"strings"
)

// archiveKeyring is Debian's keyring where the package
// debian-archive-keyring puts it.
const archiveKeyring = "/usr/share/keyrings/debian-archive-keyring.gpg"

// debianReleases are the names by which a machine's own configuration may
// call a suite of Debian's archive.
var debianReleases = map[string]bool{
	"bullseye": true, "bookworm": true, "trixie": true, "forky": true, "duke": true,
	"sid": true, "oldstable": true, "stable": true, "testing": true, "unstable": true,
}

// debianMirrors finds the mirror of Debian's archive, and that of its security
// updates, in lines "RELEASE URI" of the machine's own configuration.
func debianMirrors(out []byte) (main, security string) {
	for line := range strings.Lines(string(out)) {
		f := strings.Fields(line)
		if len(f) != 2 {
			continue
		}
		base, isSecurity := strings.CutSuffix(f[0], "-security")
		switch {
		case !debianReleases[base]:
		case isSecurity && security == "":
			security = f[1]
		case !isSecurity && main == "":
			main = f[1]
		}
	}
	return main, security
}

// sourceLine is a line of sources.list. Only the lists of packages are asked
// for, whatever else the machine's configuration adds.
func sourceLine(mirror, suite string) string {
	opts := "target=Packages"
	if _, err := os.Stat(archiveKeyring); err == nil {
		opts += " signed-by=" + archiveKeyring
	}
	return fmt.Sprintf("deb [%s] %s %s main\n", opts, mirror, suite)
}

// aptConf is the private configuration. It is read besides the machine's own,
// so that a proxy set there stays in force. A mirror that does not answer is an
// error, although apt-get update lets it pass.
func aptConf(dir string) string {
	return fmt.Sprintf(`Dir::Etc::sourcelist "%[1]s/sources.list";
Dir::Etc::sourceparts "/dev/null";
Dir::State "%[1]s/state";
Dir::State::status "%[1]s/state/status";
Dir::State::Lists "%[1]s/state/lists";
Dir::Cache "%[1]s/cache";
APT::Sandbox::User "root";
APT::Update::Error-Mode "any";
APT::Architecture "amd64";
Acquire::Languages "none";
`, dir)
}

// parseShow reads the version and the dependencies from apt-cache show.
func parseShow(text string) (version string, depends []string) {
	for line := range strings.Lines(text) {
		key, value, ok := strings.Cut(strings.TrimSpace(line), ": ")
		switch {
		case !ok:
		case key == "Version" && version == "":
			version = value
		case key == "Depends" && depends == nil:
			for _, d := range strings.Split(value, ",") {
				if f := strings.Fields(d); len(f) > 0 {
					depends = append(depends, f[0])
				}
			}
		}
	}
	return version, depends
}

// lastLines shortens what a program said, and makes it one line.
func lastLines(text string, n int) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	if len(lines) > n {
		lines = lines[len(lines)-n:]
	}
	return strings.Join(lines, "; ")
}

package conformance

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"syscall"
	"testing"

	"github.com/golvs/lvs/internal/simipvs"
	"github.com/golvs/lvs/internal/simnet"
)

// sysctlTexts are what may be written to a parameter's file, odd and even.
var sysctlTexts = []string{
	"", "\n", " ", "0", "1", "0\n", "2\n", "3\n", "4\n", "5\n", "7\n", "8\n", "9\n", "-1\n", "-9\n", "-20\n", "-21\n", "19\n", "20\n", "64\n", "255\n", "256\n",
	"1 2\n", "1\t2\n", "1 2 3\n", "1\n2\n", "1,2\n", "1-2\n", "0-1\n", "0,0\n", "5 3\n", "3 0\n", "0 0\n", "0 1\n", "-1 5\n", "5 -1\n", "5 x\n", "3 x\n", "60\n", "60 100\n",
	"3  7", " 1\n", "\t1\n", "\n1\n", "1 \n", "1\t\n", "  1  2  \n", "+1\n", "- 1\n", "-\n", "--1\n", "1-\n", "+\n", "-0\n", "-00\n", "00\n", "01\n", "007\n", "010\n", "08\n", "09\n",
	"0x1\n", "0X1\n", "0x\n", "0x 1\n", "0xg\n", "0xff\n", "-0x1\n", "0b1\n", "0o1\n", "1_0\n", "1e3\n", "1.0\n", "x\n", "1x\n", "x1\n", "one\n", "true\n", "\v1\n", "1\v\n", "1\r\n", "\r1\n", "\u00a01\n",
	"\x00", "1\x00", "1\x00\n", "\x001", "1\x002\n", "1 \x00\n", "0\x00garbage",
	"1279\n", "1280\n", "65535\n", "65536\n", "2147483\n", "2147484\n", "21474837\n", "8589934\n", "32768\n", "32769\n", "2147483647\n", "2147483648\n", "-2147483647\n", "-2147483648\n", "-2147483649\n", "4294967295\n", "4294967296\n", "4294967297\n",
	"9223372036854775807\n", "9223372036854775808\n", "18446744073709551615\n", "18446744073709551616\n", "18446744073709551617\n", "99999999999999999999\n", "-9223372036854775808\n", "-18446744073709551615\n",
	"0000000000000000001\n", "00000000000000000001\n", "000000000000000000001\n", "0000000000000000000001\n", "-00000000000000000001\n", "0x0000000000000001\n", "0x00000000000000000001\n",
	strings.Repeat(" ", 30) + "1\n", strings.Repeat(" ", 5000) + "1\n", "1" + strings.Repeat(" ", 5000) + "\n", "1" + strings.Repeat(" ", 5000) + "2\n", strings.Repeat("1", 5000) + "\n", strings.Repeat("1 ", 3000) + "\n",
}

// simulatedFiles are the files of a simulated kernel and the network around it.
type simulatedFiles struct {
	*simnet.Network
	kernel *simipvs.Kernel
}

func newSimulatedFiles(k *simipvs.Kernel) *simulatedFiles {
	n := simnet.New()
	for _, i := range k.Interfaces() {
		if i.Name != "lo" {
			n.AddInterface(i.Name, i.MTU, i.Addrs)
		}
	}
	return &simulatedFiles{n, k}
}

func (f *simulatedFiles) ReadFile(path string) ([]byte, error) {
	text, err := f.kernel.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return f.Network.ReadFile(path)
	}
	return text, err
}

func (f *simulatedFiles) WriteFile(path string, data []byte) error {
	err := f.kernel.WriteFile(path, data)
	if errors.Is(err, fs.ErrNotExist) {
		return f.Network.WriteFile(path, data)
	}
	return err
}

// sysctlPaths returns the parameters that a release's simulator has: IPVS's, and those
// of all, default and two interfaces.
func sysctlPaths(s *simulatedFiles) (all []string) {
	all = s.kernel.Sysctls()
	for _, line := range s.Dump() {
		if path, _, ok := strings.Cut(line, " = "); ok && strings.HasPrefix(path, "/proc/sys/") {
			all = append(all, path)
		}
	}
	return append(all, "/proc/sys/net/ipv4/ip_forward")
}

// A parameter accepts and refuses the same texts in the simulator and in the kernel, and
// then reads the same.
func TestFidelitySysctls(t *testing.T) {
	d := openFidelity(t)(t)
	for _, scheduler := range []string{"lblc", "lblcr"} { // which have parameters of their own
		d.real.call([]control{serviceCall(cNewService, serviceOf("tcp 10.1.254.1:80").set(sScheduler, text(scheduler)))})
		d.real.call([]control{newCall(cFlush, nil)})
	}
	sim := newSimulatedFiles(d.sim.side.(*simulatorSide).kernel)
	paths := sysctlPaths(sim)
	if len(paths) < 100 {
		t.Fatalf("there are only %d parameters", len(paths))
	}
	d.real.withFiles(func(real files) {
		for _, path := range paths {
			if wrong := unlikeTexts(t, path, real, sim); len(wrong) > 0 {
				t.Errorf("%s\n\t%s", path, strings.Join(wrong, "\n\t"))
			}
		}
	})
}

// unlikeTexts returns the texts that simulator and kernel do not treat alike.
func unlikeTexts(t *testing.T, path string, real, sim files) (wrong []string) {
	t.Helper()
	was, err := real.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist): // of a module that is not loaded
		return nil
	case err != nil:
		return []string{err.Error()}
	}
	if got, err := sim.ReadFile(path); !isOfMachine(path) && (err != nil || string(got) != string(was)) {
		wrong = append(wrong, fmt.Sprintf("begins with %q, %v; want %q", got, err, was))
	}
	// Linux 6.1 leaves disable_ipv6 and forwarding of IPv6 as they were when it cannot
	// read a text, and does not say so.
	isMute := strings.Contains(path, "/ipv6/conf/") && real.WriteFile(path, []byte("x\n")) == nil
	reset := func() {
		for _, side := range []files{real, sim} {
			if err := side.WriteFile(path, was); err != nil {
				wrong = append(wrong, err.Error())
			}
		}
	}
	for _, text := range sysctlTexts {
		if isSeconds(path) && (strings.Contains(text, "-") || strings.Contains(text, "9223372036854775808")) {
			continue
		}
		reset()
		got, want := written(sim, path, text), written(real, path, text)
		if isMute {
			got = strings.TrimPrefix(got, "22 ")
		}
		if got != want && !strings.Contains(got, "not simulated") {
			wrong = append(wrong, fmt.Sprintf("%.30q: got %s, want %s", text, got, want))
		}
	}
	reset()
	return wrong
}

// isOfMachine reports whether what a parameter begins with depends on the machine's
// memory, or on the kind of an interface.
func isOfMachine(path string) bool {
	return strings.HasSuffix(path, "/sync_qlen_max") || strings.HasSuffix(path, "/dummy0/accept_dad")
}

// isSeconds reports whether a parameter is kept in ticks. Linux 7 shows negative
// ones as numbers of twenty digits, and takes 2^63 for 0, which the simulator does
// not.
func isSeconds(path string) bool {
	return strings.HasSuffix(path, "_expiration") || strings.HasSuffix(path, "/sync_refresh_period")
}

// written says what writing a text to a file does.
func written(f files, path, text string) string {
	err := f.WriteFile(path, []byte(text))
	after, _ := f.ReadFile(path)
	var errno syscall.Errno
	switch {
	case errors.As(err, &errno):
		return fmt.Sprintf("%d %q", int(errno), after)
	case err != nil:
		return fmt.Sprintf("%v %q", err, after)
	}
	return fmt.Sprintf("%q", after)
}

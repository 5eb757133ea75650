package dropin

import (
	"strings"
	"testing"

	"github.com/golvs/lvs/internal/testbed"
)

// differenceCases show the differences: lines, and then what the last one prints. A line
// with a colon before it is read by -R.
var differenceCases = map[string]struct {
	before []string
	last   string
}{
	"restore-atomic":  {[]string{":-A -t 10.1.0.1:80\n-A -t x"}, "-S -n"},
	"restore-status":  {nil, ":-A -t 10.1.0.1:80\n-A -t 10.1.0.1:80\n-A -t 10.1.0.2:80"},
	"restore-comment": {nil, ":# a comment\n-A -t 10.1.0.1:80"},
	"restore-prints":  {nil, ":-L"},
	"mark-negative":   {[]string{"-A -f 2147483648"}, "-S -n"},
	"mark-hex":        {nil, "-A -f 0x10"},
	"mark-port":       {[]string{"-A -f 1", "-a -f 1 -r 10.2.0.1:80", "-d -f 1 -r 10.2.0.1:80", "-a -f 1 -r 10.2.0.1:80"}, "-Ln"},
	"save-full":       {nil, "-S --full"},
	"nosort":          {[]string{"-A -t 10.1.0.1:80", "-A -t 10.1.0.2:80", "-A -t 10.1.0.3:80", "-A -t 10.1.0.4:80", "-A -t 10.1.0.5:80"}, "-Ln --nosort"},
	"vip-zero":        {nil, "-A -t 0.0.0.0:80"},
	"mapped":          {nil, "-A -t [::ffff:10.1.0.1]:80"},
	"engine-alone":    {nil, "-A -u 10.1.0.1:5060 --pe sip"},
	"mask-early":      {nil, "-A -M 255.255.255.0 -t [2001:db8::1]:80 -p"},
	"short-address":   {nil, "-A -t 10.1:80"},
	"odd-names":       {nil, "--start-daemon backup --mcast-interface averyveryverylongname"},
	"no-kernel":       {}, // see TestNoKernel
}

// Every difference is one: where ipvsadm and this package do the same, it is to be
// removed from the list.
func TestDifferences(t *testing.T) {
	testbed.InKernel(t)
	theirs, ours := newSide(t), newSide(t)
	for _, d := range Differences {
		c, ok := differenceCases[d.Name]
		if !ok {
			t.Errorf("%s has no case", d.Name)
		}
		if c.last == "" {
			continue
		}
		theirs.reset()
		ours.reset()
		var want, got ran
		for _, line := range append(c.before, c.last) {
			stdin, args := "", strings.Fields(line)
			if lines, ok := strings.CutPrefix(line, ":"); ok {
				stdin, args = lines, []string{"-R"}
			}
			want, got = theirs.ipvsadm(stdin, args...), ours.ours(stdin, args...)
		}
		if want == got {
			t.Errorf("%s: no difference: %s", d.Name, want)
		}
		t.Logf("%s\nipvsadm: %shere:    %s", d.Name, want, got)
	}
	if len(differenceCases) != len(Differences) {
		t.Errorf("%d cases, %d differences", len(differenceCases), len(Differences))
	}
}

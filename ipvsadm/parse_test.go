package ipvsadm

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/golvs/lvs"
	"github.com/google/go-cmp/cmp"
)

// texts returns changes as a diff.
func texts(changes []lvs.Change) []string {
	var all []string
	for _, ch := range changes {
		all = append(all, ch.String())
	}
	return all
}

func TestParse(t *testing.T) {
	for _, test := range []struct {
		text string
		want []string
	}{
		{"-A -t 10.168.0.91:80 -s rr", []string{"+ tcp://10.168.0.91:80 rr"}},
		{"-At10.168.0.91:80 -s=rr", []string{"+ tcp://10.168.0.91:80 rr"}},
		{"--add-service --udp-service=10.168.0.91:53 --ops --persistent --netmask 255.255.255.0 --pe sip",
			[]string{"+ udp://10.168.0.91:53 wlc persistent 6m0s/24 pe=sip ops"}},
		{"-E -t 10.168.0.91:80", []string{"~ tcp://10.168.0.91:80 wlc"}},
		{"-D -f 0x10 -6", []string{"- fwmark6://16"}},
		{"-D -f -1", []string{"- fwmark://4294967295"}},
		{"-D -f -2147483648", []string{"- fwmark://2147483648"}},
		{"-a -t 10.168.0.91:80 -r 10.168.0.94:8080 -w 0", []string{"+ tcp://10.168.0.91:80 -> 10.168.0.94:80 dr weight 0"}},
		{"-a -t 10.168.0.91:80 -r 10.168.0.94:8080 -mw3 -x9 -y8", []string{"+ tcp://10.168.0.91:80 -> 10.168.0.94:8080 nat weight 3 thresholds 9 8"}},
		{"-e -t 10.168.0.91:80 -r 2001:db8::94 -i --tun-type gue --tun-port 6080 --tun-remcsum",
			[]string{"~ tcp://10.168.0.91:80 -> [2001:db8::94]:80 gue:6080+remcsum weight 1"}},
		{"-d -f 7 -r 10.168.0.94", []string{"- fwmark://7 -> 10.168.0.94:0"}},
		{"-Z\n-Z -t 10.168.0.91:80\n-C", []string{"zero everything", "zero tcp://10.168.0.91:80", "flush"}},
		{"--set 900 0 300", []string{"set timeouts tcp 15m0s tcpfin 0s udp 5m0s"}},
		{"--start-daemon master --syncid 5\n--stop-daemon=backup",
			[]string{"+ daemon master on eth0 syncid 5", "- daemon backup"}},
		{"-Ln\n-S -n\nipvsadm -L --stats\n", nil},
		{"\r\n# what ipvsadm -S wrote\r\n  \t# and more\r\nipvsadm -C # all of it\r\n\r\n", []string{"flush"}},
		{"", nil},
	} {
		changes, err := Parse([]byte(test.text))
		if diff := cmp.Diff(test.want, texts(changes)); err != nil || diff != "" {
			t.Errorf("%q: %v (-want +got):\n%s", test.text, err, diff)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	for _, test := range []struct{ text, want string }{
		{"-C\n -A -t 10.168.0.91:8o\n", `line 2, column 8: -t: port "8o" is not a decimal number; names are not looked up`},
		{"-A -twww:80", `line 1, column 6: -t: "www" is not an address; names are not looked up, and an IPv4 address has four decimal numbers`},
		{"-A -t 10.1:80", `line 1, column 7: -t: "10.1" is not an address; names are not looked up, and an IPv4 address has four decimal numbers`},
		{"-A -t 10.168.0.91:80 -p=0", `line 1, column 25: -p: "0" is out of range [1, 2678400]`},
		{"-A -t 10.168.0.91:80 -M 24", `line 1, column 25: -M: "24" is not a mask such as 255.255.255.0; for an IPv6 service give the length of its prefix, behind the service`},
		{"-A -M 255.0.0.0 -t [2001:db8::1]:80 -p", `line 1, column 7: -M: stands before the IPv6 service, and ipvsadm would ignore it; put it behind the service`},
		{"-A -t [::ffff:10.0.0.1]:80", `line 1, column 7: -t: "::ffff:10.0.0.1" is an IPv4 address that is mapped into IPv6; write 10.0.0.1`},
		{"-a -t 10.168.0.91:80 -gm -r 10.0.0.1", `line 1, column 24: -m: only one of -g, -i, -m can be given`},
		{"-A -t 10.168.0.91:80 -s rr -s lc", `line 1, column 28: -s: is given twice`},
		{"-A -t 10.168.0.91:80 -f 7", `line 1, column 22: -f: only one of -t, -u, --sctp-service, -f can be given`},
		{"-a -f 7 -r 10.0.0.1 -i --tun-csum --tun-port=5", `line 1, column 46: -a: ipip does not have --tun-port, --tun-csum`},
		{"-a -f 7 -r 10.0.0.1 -i --tun-type gre --tun-csum --tun-nocsum", `line 1, column 1: -a: only one of --tun-nocsum, --tun-csum, --tun-remcsum can be given`},
		{"-a -f 7 -r 10.0.0.1 --tun-csum", `line 1, column 1: -a: a tunnel needs -i`},
		{"-D -t 10.168.0.91:80 --weight=1", `line 1, column 22: --weight: -D does not have this option`},
		{"-A -t 10.168.0.91:80 --sched rr", `line 1, column 22: "--sched" is not an option; long options cannot be abbreviated, and begin with two dashes`},
		{"-a -t 10.168.0.91:80", `line 1, column 1: -a: needs a real server; add -r`},
		{"\ufeff-A -t 10.168.0.91:80", `line 1, column 1: "\ufeff-A" is not a command; a command begins with a dash, such as -A`},
		{"-s rr -A -f 1", `line 1, column 1: -s: a command such as -A or -a must come first`},
		{"--set 1 2", `line 1, column 1: --set: needs 3 numbers: for TCP, for TCP after a FIN, and for UDP`},
		{"-A -f 1\n-R\n", `line 2, column 1: -R: changes nothing, and ends a restore; remove the line`},
		{"-A -f 1\x00", `line 1, column 8: byte 0x00 does not belong to a command`},
		{"-A -f 1\n-A -f \xff", `line 2, column 7: byte 0xff does not belong to a command`},
		{"-A -t 0.0.0.0:80", `line 1, column 7: -A: add service tcp://0.0.0.0:80: ID: packets cannot be sent to 0.0.0.0`},
		{"-A -t " + strings.Repeat("9", 1<<20), `line 1, column 7: -t: "` + strings.Repeat("9", 60) + `"… is not an address; ` + hintAddr},
	} {
		changes, err := Parse([]byte("" + test.text))
		if changes != nil || !errors.Is(err, lvs.ErrInvalid) || err.Error() != "ipvsadm: "+test.want {
			t.Errorf("%.60q: got %v and\n%v\nwant\nipvsadm: %s", test.text, changes, err, test.want)
		}
	}
}

func TestParseArgs(t *testing.T) {
	changes, err := ParseArgs("-A", "-t", "10.168.0.91:80", "-s", "")
	if want := []string{"+ tcp://10.168.0.91:80 wlc"}; err != nil || !cmp.Equal(want, texts(changes)) {
		t.Errorf("got %v, %v", changes, err)
	}
	if changes, err := ParseArgs("-Ln"); changes != nil || err != nil {
		t.Errorf("-Ln: %v, %v", changes, err)
	}
	for _, test := range []struct {
		args []string
		want string
	}{
		{nil, "ipvsadm: no command is given; a command begins with a dash, such as -A"},
		{[]string{"-A", "-t", "a b"}, `ipvsadm: -t: "a b" is not an address; ` + hintAddr},
		{[]string{"-A", "-f", "1", "# no comment"}, `ipvsadm: -A: "# no comment" does not belong to an option`},
	} {
		if _, err := ParseArgs(test.args...); err == nil || err.Error() != test.want {
			t.Errorf("%q: %v", test.args, err)
		}
	}
}

func TestParseFile(t *testing.T) {
	f, err := ParseFile([]byte(`
--set 0 60 0
-A -t 10.168.0.91:80 -s rr
-a -t 10.168.0.91:80 -r 10.168.0.95 -w 5
-a -t 10.168.0.91:80 -r 10.168.0.94
-A -f 7
-E -t 10.168.0.91:80 -s sh -b sh-port
-e -t 10.168.0.91:80 -r 10.168.0.95
-D -f 7
-a -t 10.168.0.91:80 -r 10.168.0.96
-d -t 10.168.0.91:80 -r 10.168.0.94
-a -t 10.168.0.91:80 -r 10.168.0.94
-Z
--set 0 0 30
--start-daemon master
--start-daemon backup --mcast-interface eth1
--stop-daemon master
`))
	if err != nil {
		t.Fatal(err)
	}
	got := fmt.Sprint(f.Table, "\n", f.Timeouts, "\n", f.SyncDaemons)
	want := `tcp://10.168.0.91:80 sh (sh-port)
  -> 10.168.0.95:80 dr weight 1
  -> 10.168.0.96:80 dr weight 1
  -> 10.168.0.94:80 dr weight 1
tcp 0s tcpfin 1m0s udp 30s
[backup on eth1 syncid 0]`
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestParseFileRefuses(t *testing.T) {
	const service = "-A -t 10.168.0.91:80\n"
	const server = service + "-a -t 10.168.0.91:80 -r 10.168.0.94\n"
	const mixed = service + "-a -t 10.168.0.91:80 -r 2001:db8::94 -i\n"
	for _, test := range []struct {
		text string
		want string
		kind error
	}{
		{service + service, "line 2, column 1: service tcp://10.168.0.91:80 already exists; edit it with -E", lvs.ErrExists},
		{"\n -E -f 7", "line 2, column 2: service fwmark://7 does not exist", lvs.ErrNoService},
		{"-D -f 7", "line 1, column 1: service fwmark://7 does not exist", lvs.ErrNoService},
		{"-Z -f 7", "line 1, column 1: service fwmark://7 does not exist", lvs.ErrNoService},
		{"-a -f 7 -r 10.168.0.94", "line 1, column 1: service fwmark://7 does not exist", lvs.ErrNoService},
		{service + "-C\n-D -t 10.168.0.91:80", "line 3, column 1: service tcp://10.168.0.91:80 does not exist", lvs.ErrNoService},
		{server + "-a -t 10.168.0.91:80 -r 10.168.0.94", "line 3, column 1: service tcp://10.168.0.91:80 already has the real server 10.168.0.94:80; edit it with -e", lvs.ErrExists},
		{service + "-e -t 10.168.0.91:80 -r 10.168.0.94", "line 2, column 1: service tcp://10.168.0.91:80 does not have the real server 10.168.0.94:80", lvs.ErrNoRealServer},
		{server + "-d -t 10.168.0.91:80 -r 10.168.0.94:81", "line 3, column 1: service tcp://10.168.0.91:80 does not have the real server 10.168.0.94:81", lvs.ErrNoRealServer},
		{"--stop-daemon master", "line 1, column 1: no sync daemon runs as master", lvs.ErrNotFound},
		{"--start-daemon master\n--start-daemon master", "line 2, column 1: a sync daemon runs as master; stop it with --stop-daemon", lvs.ErrExists},
		{mixed + "--start-daemon master", "line 3, column 1: a sync daemon cannot run while a real server has another address family than its service", lvs.ErrInvalid},
		{"--start-daemon master\n" + mixed, "line 3, column 1: real server [2001:db8::94]:80 has another address family than service tcp://10.168.0.91:80, while a sync daemon runs", lvs.ErrInvalid},
	} {
		_, err := ParseFile([]byte(test.text))
		if !errors.Is(err, test.kind) || err.Error() != "ipvsadm: "+test.want {
			t.Errorf("%q: got\n%v\nwant\n%s", test.text, err, test.want)
		}
	}
	for _, fine := range []string{
		mixed + "-C\n--start-daemon master",
		mixed + "-D -t 10.168.0.91:80\n--start-daemon master",
		mixed + "-d -t 10.168.0.91:80 -r 2001:db8::94\n--start-daemon master",
		"--start-daemon master\n--stop-daemon master\n" + mixed,
	} {
		if _, err := ParseFile([]byte(fine)); err != nil {
			t.Errorf("%q: %v", fine, err)
		}
	}
}

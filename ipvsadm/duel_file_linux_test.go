package ipvsadm

import (
	"fmt"
	"strings"
	"testing"

	"github.com/golvs/lvs"
)

// files are read as a whole by ipvsadm and by this package: with line ends of all kinds,
// bytes that are not text, lines in a wrong order, and long ones.
var files = []struct {
	text   string
	differ bool // as the package comment says
}{
	{text: serviceLine + serverLine},
	{text: serviceLine + "-a -t 10.168.0.91:80 -r 10.168.0.94"}, // without an end of line
	{text: "\t-A  -t\t10.168.0.91:80\t\n\n \n\r\n" + serverLine},
	{text: strings.ReplaceAll("-A -t 10.168.0.91:80 -p\n-A -f 1 -p 60 -M 255.255.255.0\n"+serverLine, "\n", "\r\n")},
	{text: "-A -t 10.168.0.91:80 -s sh \r -b sh-port\n"},
	{text: "ipvsadm\nipvsadm ipvsadm -A -t 10.168.0.91:80 -s ipvsadm rr\nipvsadm " + serverLine},
	{text: "/sbin/ipvsadm " + serviceLine},
	{text: serviceLine + "# a comment\n" + serverLine, differ: true},
	{text: "-A -t 10.168.0.91:80 # a comment\n", differ: true},
	{text: "-A -t 10.168.0.91:80#\n"},
	{text: "-A\v-t 10.168.0.91:80\n"},
	{text: "-A -t 10.168.0.91:80 -s rr\f\n"},
	{text: "-A -t 10.168.0.91:80 -s rr\xff\n"},
	{text: "-A -t 10.168.0.91:80 -s r\u00e9\n"},
	{text: "\ufeff" + serviceLine},
	{text: "\xff\xfe-\x00A\x00"},
	{text: "-A -t 10.168.0.91:80\u00a0-s rr\n"},
	{text: serviceLine + "\x00" + serverLine},
	{text: "-A -t 10.168.0.91:80\x00garbage -s rr\n" + serverLine, differ: true},
	{text: `-A -t "10.168.0.91:80"`},
	{text: "-A -t 10.168.0.91:80 -s 'rr'"},
	{text: "-A -t 10.168.0.91:80 \\\n-s rr"},
	{text: "-A -t localhost:80", differ: true},
	{text: "-A -t 10.168.0.91:http", differ: true},
	{text: serverLine + serviceLine},
	{text: serverLine + serviceLine + serverLine},
	{text: "-E -t 10.168.0.91:80 -s rr\n" + serviceLine},
	{text: serviceLine + serviceLine + serverLine},
	{text: serviceLine + serverLine + serverLine},
	{text: serviceLine + serverLine + "-D -t 10.168.0.91:80\n" + serviceLine},
	{text: serviceLine + "-C\n" + serverLine},
	{text: serviceLine + "-Z -t 10.168.0.92:80\n" + serverLine},
	{text: serviceLine + "-q\n" + serverLine},
	{text: serviceLine + "extra\n" + serverLine},
	{text: serviceLine + "--\n" + serverLine},
	{text: "-A -t 10.168.0.91:80 --\n" + serverLine},
	{text: "-A -t 10.168.0.91:80 -- -s rr\n" + serverLine},
	{text: strings.Repeat("\n", 100_000) + serviceLine},
	{text: "-A -t 10.168.0.91:80" + strings.Repeat(" ", 1<<20) + "-s rr\n" + serverLine},
	{text: "-A -t 10.168.0.91:80" + strings.Repeat(" --sort", 1000) + "\n" + serverLine},
	{text: "-A -t 10.168.0.91:80 --" + strings.Repeat("x", 1<<20) + "\n" + serverLine},
	{text: "-A -t 10.168.0.91:80 -p " + strings.Repeat("0", 4095) + "5\n" + serverLine},
	{text: "-A -t 10.168.0.91:80 -p " + strings.Repeat("0", 4096) + "5\n" + serverLine, differ: true},
	{text: "-A -t 10.168.0.91:80 -s sh -b " + strings.Repeat("sh-port,", 512) + "-p60\n" + serverLine, differ: true},
}

const (
	serviceLine = "-A -t 10.168.0.91:80\n"
	serverLine  = "-a -t 10.168.0.91:80 -r 10.168.0.94\n"
)

// TestDuelFiles holds that a file makes the table that ipvsadm makes of it, and that one
// of which ipvsadm refuses a line makes none.
func TestDuelFiles(t *testing.T) {
	d := newDuel(t)
	for _, file := range some(files) {
		d.ipvsadm("", "-C")
		out, status := d.ipvsadm(file.text, "-R")
		theirs := d.snapshot(d.theirClient).Table()
		ours, err := ParseFile([]byte(file.text))
		same := (err == nil) == (status == 0 && out == "") && (err != nil || ours.Table.Equal(theirs))
		if same == file.differ {
			t.Errorf("%.100q makes (%v)\n%s\nand by ipvsadm (status %d, %.300s)\n%s", file.text, err, ours.Table, status, out, theirs)
		}
	}
}

// TestDuelLetters holds that ipvsadm and this package have the same short options.
func TestDuelLetters(t *testing.T) {
	d := newDuel(t)
	letters := []byte("!\"#$%&'()*+,./0123456789:;<>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_`abcdefghijklmnopqrstuvwxyz{|}~")
	for _, letter := range some(letters) {
		out, _ := d.ipvsadm("", "-A", "-"+string(letter))
		if known := !strings.Contains(out, "unknown option"); known != (shortOption(letter) != nil) {
			t.Errorf("-%c: ipvsadm knows it: %t", letter, known)
		}
	}
}

// TestDuelOrder prints services that ipvsadm's comparison does not order: see compareIDs.
func TestDuelOrder(t *testing.T) {
	d := newDuel(t)
	random := duelRandom()
	for range 2 {
		d.clear()
		for i := range 10 {
			d.play(fmt.Sprintf("-A -t %d.0.0.%d:80", 1+random.IntN(223), i))
			d.play(fmt.Sprintf("-A -u [%x::%x:0:%x]:53", 1+random.IntN(0xfeff), 1+random.IntN(0xffff), i))
			d.play(fmt.Sprintf("-A -f %d", random.Uint32N(1<<28)<<4+uint32(i)+1))
		}
		d.judgeText()
	}
}

// unusual are commands that ipvsadm accepts and this package does not.
const unusual = `-A -t 0.0.0.0:80
-a -t 0.0.0.0:80 -r 10.168.0.94
-A -u [::]:80 -p
-a -u [::]:80 -r 10.168.0.94 -i
-A -t [::ffff:10.168.0.91]:80
-A -t 10.168.0.91:80 -p -M 24
-A -t 10.168.0.92:80 -M 255.255.0.0
-A -u 10.168.0.91:53 --pe sip
-A -t [2001:db8::1]:80 -p -M 64x
-A -M 255.255.255.0 -t [2001:db8::2]:80 -p
-A -f 5
-a -f 5 -r 10.168.0.94:80
-a -f 5 -r [2001:db8::94]:80 -i
-A -f 6 -M 255.255.0.0 -6 -p
-a -f 6 -6 -r [::ffff:0:10.0.0.1]:0
`

// TestDuelUnusual prints a table that only ipvsadm makes, and removes all of it.
func TestDuelUnusual(t *testing.T) {
	d := newDuel(t)
	if out, status := d.ipvsadm(unusual, "-R"); status != 0 || out != "" {
		t.Fatalf("status %d, %s", status, out)
	}
	d.judgePrinted()
	var removals []lvs.Change
	for _, s := range d.snapshot(d.theirClient).Services {
		removals = append(removals, lvs.RemoveService(s.ID))
	}
	text, err := Commands(removals...)
	if err != nil {
		t.Fatal(err)
	}
	out, status := d.ipvsadm(text, "-R")
	if left := d.snapshot(d.theirClient); status != 0 || out != "" || len(left.Services) > 0 {
		t.Errorf("status %d, %s, and what is left is\n%s", status, out, left.Table())
	}
}

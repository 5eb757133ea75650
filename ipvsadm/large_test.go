package ipvsadm

import (
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"
)

// largeFile returns a save file of many lines, a tenth of which are services.
func largeFile(lines int) []byte {
	var b strings.Builder
	for i := range lines {
		service := fmt.Sprintf("10.%d.%d.%d:80", i/10>>16&255, i/10>>8&255, i/10&255)
		if i%10 == 0 {
			fmt.Fprintf(&b, "-A -t %s -s wrr -p 300 -M 255.255.255.0\n", service)
		} else {
			fmt.Fprintf(&b, "-a -t %s -r 192.168.%d.%d:80 -g -w %d\n", service, i>>8&255, i&255, i%100)
		}
	}
	return []byte(b.String())
}

func TestLargeFile(t *testing.T) {
	const lines = 100_000
	text := largeFile(lines)
	f, err := ParseFile(text)
	if err != nil || len(f.Table.Services) != lines/10 || len(f.Table.Services[lines/10-1].RealServers) != 9 {
		t.Errorf("%d services, %v", len(f.Table.Services), err)
	}
	_, err = ParseFile(append(text, "-A -t 10.0.0.0:80\n"...))
	if err == nil || !strings.HasPrefix(err.Error(), "ipvsadm: line 100001, column 1: service tcp://10.0.0.0:80 already exists") {
		t.Error(err)
	}
}

// One service gets and loses many servers: nothing is searched in a line of all.
func TestLargeService(t *testing.T) {
	const servers = 50_000
	var b strings.Builder
	b.WriteString("-A -f 1\n")
	for _, command := range []string{"-a -f 1 -m -w 5 -r", "-d -f 1 -r", "-a -f 1 -m -r"} {
		for i := range servers {
			fmt.Fprintf(&b, "%s 10.0.%d.%d:80\n", command, i>>8, i&255)
		}
	}
	f, err := ParseFile([]byte(b.String()))
	if err != nil || len(f.Table.Services) != 1 || len(f.Table.Services[0].RealServers) != servers {
		t.Errorf("%d services, %v", len(f.Table.Services), err)
	}
}

// Lines of a megabyte are read, or refused with an error that is not as long.
func TestLongLines(t *testing.T) {
	const megabyte = 1 << 20
	for _, test := range []struct{ text, want string }{
		{"-A -t 10.168.0.91:80" + strings.Repeat(" ", megabyte) + "-s rr", ""},
		{"-A -t 10.168.0.91:80 -p " + strings.Repeat("0", megabyte) + "5", ""},
		{"-A -t 10.168.0.91:80 # " + strings.Repeat("\xff\x00", megabyte/2), ""},
		{"-A -t 10.168.0.91:80 -s sh -b " + strings.Repeat("sh-port,", megabyte/8), ""},
		{strings.Repeat("ipvsadm ", megabyte/8) + "-A -t 10.168.0.91:80", ""},
		{"-A -t 10.168.0.91:80 --" + strings.Repeat("x", megabyte), "line 1, column 22: "},
		{"-A -t 10.168.0.91:80 -s " + strings.Repeat("x", megabyte), "line 1, column 25: "},
		{"-A -t 10.168.0.91:80 --pe " + strings.Repeat("x", megabyte), "line 1, column 27: "},
		{"--start-daemon master --mcast-interface " + strings.Repeat("x", megabyte), "line 1, column 41: "},
		{"-A -t 10.168.0.91:80" + strings.Repeat(" --sort", megabyte/7), ""},
		{"-A -t 10.168.0.91:80" + strings.Repeat(" x", megabyte/2), "line 1, column 22: "},
		{"-C" + strings.Repeat("C", megabyte), "line 1, column 3: "},
		{"#" + strings.Repeat("x", megabyte) + "\n-q", "line 2, column 1: "},
		{strings.Repeat("\n", megabyte) + "-q", "line 1048577, column 1: "},
	} {
		changes, err := Parse([]byte(test.text))
		switch {
		case test.want == "" && (err != nil || len(changes) != 1):
			t.Errorf("%.40q: %v, %v", test.text, changes, err)
		case test.want != "" && (err == nil || !strings.HasPrefix(err.Error(), "ipvsadm: "+test.want) || len(err.Error()) > 300):
			t.Errorf("%.40q: %.300v", test.text, err)
		}
	}
}

// Reading needs memory in proportion to the text.
func TestParseMemory(t *testing.T) {
	text := largeFile(100_000)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	changes, err := Parse(text)
	runtime.ReadMemStats(&after)
	if per := (after.TotalAlloc - before.TotalAlloc) / 100_000; err != nil || per > 1500 {
		t.Errorf("%d bytes are allocated for each of %d lines, %v", per, len(changes), err)
	}
}

func BenchmarkParse(b *testing.B) {
	text := largeFile(100_000)
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		if _, err := Parse(text); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkParseFile(b *testing.B) {
	text := largeFile(100_000)
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		if _, err := ParseFile(text); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkSave(b *testing.B) {
	f, err := ParseFile(largeFile(100_000))
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if err := Save(io.Discard, f.Table); err != nil {
			b.Fatal(err)
		}
	}
}

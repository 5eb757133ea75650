package ipvsadm

import (
	"os"
	"strings"
	"testing"

	"github.com/golvs/lvs"
	"github.com/google/go-cmp/cmp"
)

// The files in testdata are what ipvsadm 1.31 printed in newest, by 'ipvsadm -S -n' and
// 'ipvsadm -Ln', after 'ipvsadm -R <lossless.txt'. Some addresses in them are in no
// order: see mergeSort.
func readTestdata(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestPrintedByIpvsadm(t *testing.T) {
	f, err := ParseFile([]byte(readTestdata(t, "lossless.txt")))
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	err = Save(&b, f.Table)
	if diff := cmp.Diff(readTestdata(t, "saved.txt"), b.String()); err != nil || diff != "" {
		t.Errorf("Save: %v (-want +got):\n%s", err, diff)
	}
	b.Reset()
	err = List(&b, lvs.Info{Version: "1.2.1", ConnTableSize: 256}, snapshotOf(f.Table), ListOptions{})
	if diff := cmp.Diff(readTestdata(t, "listed.txt"), b.String()); err != nil || diff != "" {
		t.Errorf("List: %v (-want +got):\n%s", err, diff)
	}
}

// snapshotOf returns a table as the kernel has it before the first connection.
func snapshotOf(table lvs.Table) (s lvs.Snapshot) {
	for _, service := range table.Services {
		e := lvs.ServiceEntry{ServiceStatus: lvs.ServiceStatus{Service: service.Service}}
		for _, server := range service.RealServers {
			e.RealServers = append(e.RealServers, lvs.RealServerStatus{RealServer: server})
		}
		s.Services = append(s.Services, e)
	}
	return s
}

func TestListConnections(t *testing.T) {
	f, err := ParseFile([]byte("-A -t 10.168.0.91:80 -s rr\n-a -t 10.168.0.91:80 -r 10.168.0.94 -w 5"))
	if err != nil {
		t.Fatal(err)
	}
	s := snapshotOf(f.Table)
	s.Services[0].RealServers[0].ActiveConns, s.Services[0].RealServers[0].InactiveConns = 1, 20
	var b strings.Builder
	want := "  -> 10.168.0.94:80               Route   5      1          20        \n"
	if err := List(&b, lvs.Info{}, s, ListOptions{}); err != nil || !strings.HasSuffix(b.String(), want) {
		t.Errorf("%v, got\n%s\nwant at its end\n%s", err, b.String(), want)
	}
}

package lvs

import (
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"
)

// templateListing has templates of the services below; names in front are for the test.
const templateListing = `
web    TCP C0000200 0000 0AA8005B 0050 0AA8005E 0050 ASSURED         299
ftp    TCP C0000200 0000 0AA8005B 0000 0AA8005E 0000 NONE            299
odd    TCP C0000005 0000 0AA8005C 0050 0AA8005E 0050 NONE            299
all    UDP 00000000 0000 0AA8005B 0035 0AA8005E 0035 NONE            299
mark   IP  C0000000 0000 00000009 0000 0AA8005E 0000 NONE            299
mark6  IP  fd00:0001:0000:0000:0000:0000:0000:0000 0000 0000:0009:0000:0000:0000:0000:0000:0000 0000 0AA8005E 0000 NONE            299
gone   TCP C0000200 0000 0AA8005D 0050 0AA8005E 0050 NONE            299
older  TCP C0000280 0000 0AA8005B 0050 0AA8005E 0050 NONE            299
conn   TCP C0000200 9C40 0AA8005B 0050 0AA8005E 0050 ESTABLISHED     899
`

// The network of a template is as long as the mask of its service says.
func TestConnectionFilterTemplates(t *testing.T) {
	h, f := textHost(t, connectionsHeader)
	names := make(map[Connection]string)
	for line := range strings.Lines(strings.TrimSpace(templateListing) + "\n") {
		name, row, _ := strings.Cut(line, " ")
		row = strings.TrimLeft(row, " ")
		one, err := readConnections(strings.NewReader(connectionsHeader + row))
		must(t, err)
		names[one[0]], f.text = name, f.text+row
	}
	for id, mask := range map[string]Mask{
		"tcp://10.168.0.91:80": PrefixMask(24), "tcp://10.168.0.91:21": PrefixMask(25), "tcp://10.168.0.92:80": DottedMask([4]byte{255, 0, 0, 255}),
		"udp://10.168.0.91:53": PrefixMask(0), "fwmark://9": PrefixMask(16), "fwmark6://9": PrefixMask(64),
	} {
		must(t, h.Client().Do(t.Context(), AddService(Service{ID: MustParseServiceID(id), Scheduler: RR, Persistence: Persistence{Timeout: time.Minute, Mask: mask}})))
	}
	for client, want := range map[string]string{
		"192.0.2.77/32":   "web ftp all mark",
		"192.0.2.200/32":  "web all mark",
		"192.0.2.0/24":    "web ftp odd all mark gone older conn",
		"192.0.2.0/32":    "web ftp all mark gone conn",
		"192.0.9.5/24":    "odd all mark",
		"192.9.9.5/32":    "odd all",
		"192.0.9.4/32":    "all mark",
		"198.51.100.1/8":  "all",
		"0.0.0.0/0":       "web ftp odd all mark gone older conn",
		"fd00:1::77/128":  "mark6",
		"fd00:1:0:1::/64": "",
	} {
		var got []string
		for c, err := range h.Connections(t.Context(), ConnectionFilter{Client: netip.MustParsePrefix(client)}) {
			must(t, err)
			got = append(got, names[c])
		}
		if all := strings.Join(got, " "); all != want {
			t.Errorf("from %s: got %q, want %q", client, all, want)
		}
	}
	h.guard.files = brokenTable{f}
	_, err := CollectConnections(h.Connections(t.Context(), ConnectionFilter{Client: netip.MustParsePrefix("192.0.2.77/32")}))
	var known *Error
	if !errors.As(err, &known) || known.Object != quickFile || known.Line != 2 || known.Column != 1 {
		t.Errorf("with a table that cannot be understood: %v", err)
	}
}

// brokenTable has another text in the place of the table.
type brokenTable struct{ files }

func (brokenTable) ReadFile(string) ([]byte, error) {
	return []byte("IP Virtual Server version 1.2.1 (size=4096)\nrubbish\n"), nil
}

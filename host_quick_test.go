package lvs

import (
	"context"
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"
)

const quickText = `IP Virtual Server version 1.2.1 (size=4096)
Prot LocalAddress:Port Scheduler Flags
  -> RemoteAddress:Port Forward Weight ActiveConn InActConn
UDP  0A010001:0035 rr ops persistent 25000 FFFFFF00
  -> 0A020002:0035      Masq    1      3          4         
TCP  [fd00:0001:0000:0000:0000:0000:0000:0001]:0050 wrr persistent 75 40000000
  -> [fd00:0002:0000:0000:0000:0000:0000:0003]:0050      Tunnel  2      0          0         
  -> [fd00:0002:0000:0000:0000:0000:0000:0002]:0050      Route   5      0          0         
FWM  00000007 rr 
FWM  00000007 none ops persistent -1 80000000
  -> [fd00:0002:0000:0000:0000:0000:0000:0002]:0000      Route   0      0          0         
FWM  00000008 rr
IP_99  0A010001:0035 rr
FWM  00000009 rr persistent 75 FFFFFF00
FWM  0000000A rr persistent 75 40000000
`

func TestParseQuickTable(t *testing.T) {
	table, torn, err := parseQuickTable([]byte(quickText))
	must(t, err)
	if torn {
		t.Error("it is torn")
	}
	got := ""
	for _, s := range table.Services {
		got += s.ID.String() + " " + string(s.Scheduler) + " " + string(s.OnePacket) + "\n"
	}
	want := "tcp://[fd00:1::1]:80 wrr \nudp://10.1.0.1:53 rr on\nprotocol-99://10.1.0.1:53 rr off\nfwmark://7 rr off\nfwmark6://7 none on\nfwmark://8 rr off\n" +
		"fwmark://9 rr off\nfwmark6://10 rr off\n"
	compare(t, "services", want, got)
	web, dns, six := table.Services[0], table.Services[1], table.Services[4]
	if web.PersistenceMask != PrefixMask(64) || dns.PersistenceMask != PrefixMask(24) || !six.PersistenceMask.IsZero() {
		t.Errorf("masks %s, %s, %s", web.PersistenceMask, dns.PersistenceMask, six.PersistenceMask)
	}
	if web.RealServers[0].Weight != 5 || web.RealServers[1].Method != MethodTunnel || six.PersistenceTicks != 1<<32-1 {
		t.Errorf("%+v, %+v", web, six)
	}
	var unknown []ServiceID
	for _, s := range table.Services {
		if s.FamilyUnknown {
			unknown = append(unknown, s.ID)
		}
	}
	compare(t, "unknown families", []ServiceID{FWMark(8), FWMark6(10)}, unknown)
	compare(t, "masks of marks", []Mask{PrefixMask(24), PrefixMask(64)}, []Mask{table.Services[6].PersistenceMask, table.Services[7].PersistenceMask})
}

// The next reading overwrites the text.
func TestQuickTableKeepsNoText(t *testing.T) {
	text := []byte(strings.Replace(quickText, "Masq", "Other", 1))
	table, _, err := parseQuickTable(text)
	must(t, err)
	want, _, err := parseQuickTable(slices.Clone(text))
	must(t, err)
	for i := range text {
		text[i] = 'x'
	}
	if !reflect.DeepEqual(table, want) {
		t.Errorf("got %+v\nwant %+v", table, want)
	}
}

func TestQuickTableRefused(t *testing.T) {
	for text, place := range map[string][2]int{
		"":                                  {1, 1},
		quickText + "TCP  0A010001:XX rr\n": {16, 6},
		quickText + "  -> 0A020002:0035 Masq many\n": {16, 25},
		quickText + "ABC 1\n":                        {16, 1},
		quickText + "TCP  [0A010001]:0050 rr\n":      {16, 6},
		quickText + "TCP  0A010001 rr\n":             {16, 6},
		quickText + "TCP  : rr\n":                    {16, 6},
	} {
		_, _, err := parseQuickTable([]byte(text))
		ofKind(t, text, err, errors.ErrUnsupported)
		var e *Error
		if errors.As(err, &e); e == nil || e.Line != place[0] || e.Column != place[1] {
			t.Errorf("%v: want line %d, column %d", err, place[0], place[1])
		}
	}
}

func TestQuickTableSimulator(t *testing.T) {
	s, err := NewSimulator(SimOptions{})
	must(t, err)
	h := s.Host()
	must(t, h.Client().Do(context.Background(), AddService(Service{ID: webID, Scheduler: RR}),
		AddRealServer(webID, NewRealServer(webRIP, DR())), AddRealServer(webID, NewRealServer(webRIP2, NAT()))))
	q, err := h.QuickTable(context.Background())
	must(t, err)
	want := []QuickService{{ID: webID, Scheduler: RR, OnePacket: QuickOff, RealServers: []QuickServer{
		{Addr: webRIP, Method: MethodDR, Weight: 1}, {Addr: webRIP2, Method: MethodNAT, Weight: 1},
	}}}
	if !reflect.DeepEqual(q.Services, want) {
		t.Errorf("services %+v, want %+v", q.Services, want)
	}
	total, err := h.Totals(context.Background())
	must(t, err)
	compare(t, "totals", Stats{}, total)
	cpus, err := h.CPUTotals(context.Background())
	must(t, err)
	compare(t, "CPUs", []CPUStats{{}}, cpus)
}

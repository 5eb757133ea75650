package lvs

import (
	"net/netip"
	"slices"
	"testing"
	"time"
)

// planText is a plan with a step of each kind, and how it prints.
func planText() (TablePlan, string) {
	web, dns := MustParseServiceID("tcp://10.168.0.91:80"), MustParseServiceID("udp://10.168.0.92:53")
	at := func(s string, weight int) RealServer {
		r := NewRealServer(netip.MustParseAddrPort(s), NAT())
		r.Weight = weight
		return r
	}
	was := Service{ID: dns, Scheduler: RR}
	now := Service{ID: dns, Scheduler: MH, SchedulerFlags: HashFallback, Persistence: Persistence{Timeout: 5 * time.Minute}, OnePacket: true}
	edited := at("10.168.0.95:53", 3)
	edited.UpperThreshold, edited.LowerThreshold, edited.Mode = 100, 80, DR()
	return TablePlan{
			Steps: []TableStep{
				{Change: AddService(Service{ID: web}), Notes: []string{"Its first note.", "Its second note."}},
				{Change: AddRealServer(web, at("10.168.0.94:80", 1))},
				{Change: UpdateService(now), Was: AddService(was)},
				{Change: UpdateRealServer(dns, edited), Was: AddRealServer(dns, at("10.168.0.95:53", 1)), Notes: []string{"A note."}},
				{Change: RemoveRealServer(dns, netip.MustParseAddrPort("10.168.0.96:53")), Was: AddRealServer(dns, at("10.168.0.96:53", 2)), Drain: 5 * time.Minute},
				{Change: RemoveService(web), RealServers: []RealServer{at("10.168.0.94:80", 1), at("10.168.0.97:80", 0)}, Drain: time.Hour},
				{Change: RemoveRealServer(dns, netip.MustParseAddrPort("10.168.0.98:53")), Was: AddRealServer(dns, at("10.168.0.98:53", 2))},
				{Change: RemoveService(web), RealServers: []RealServer{at("10.168.0.94:80", 1)}},
			},
			Unwanted:   []ServiceID{web},
			Misordered: []ServiceID{dns},
		}, `+ tcp://10.168.0.91:80 wlc
    Its first note.
    Its second note.
+ tcp://10.168.0.91:80 -> 10.168.0.94:80 nat weight 1
~ udp://10.168.0.92:53 scheduler rr → mh, flags none → mh-fallback, persistence none → 5m0s, one-packet off → on
~ udp://10.168.0.92:53 -> 10.168.0.95:53 mode nat → dr, weight 1 → 3, upper threshold 0 → 100, lower threshold 0 → 80
    A note.
- udp://10.168.0.92:53 -> 10.168.0.96:53, drained for at most 5m0s
- tcp://10.168.0.91:80 with 2 real servers, drained for at most 1h0m0s
- udp://10.168.0.92:53 -> 10.168.0.98:53
- tcp://10.168.0.91:80 with 1 real server
# remains, although it is not wanted: tcp://10.168.0.91:80
# remains in another order than the wanted one: the real servers of udp://10.168.0.92:53`
}

func TestPlanText(t *testing.T) {
	plan, want := planText()
	if got := plan.String(); got != want {
		t.Errorf("the plan prints\n%s\nwant\n%s", got, want)
	}
	empty := TablePlan{Unwanted: plan.Unwanted}
	if got, want := empty.String(), "nothing to do\n# remains, although it is not wanted: tcp://10.168.0.91:80"; got != want {
		t.Errorf("a plan without steps prints\n%s\nwant\n%s", got, want)
	}
	if empty.HasChanges() || !plan.HasChanges() {
		t.Error("a plan has changes if and only if it has steps")
	}
}

// TestPlanChanges holds that a drain sets weights to 0, and removes nothing yet.
func TestPlanChanges(t *testing.T) {
	plan, _ := planText()
	var got []string
	for _, ch := range plan.Changes() {
		got = append(got, ch.String())
	}
	want := []string{
		"+ tcp://10.168.0.91:80 wlc",
		"+ tcp://10.168.0.91:80 -> 10.168.0.94:80 nat weight 1",
		"~ udp://10.168.0.92:53 mh (mh-fallback) persistent 5m0s ops",
		"~ udp://10.168.0.92:53 -> 10.168.0.95:53 dr weight 3 thresholds 100 80",
		"~ udp://10.168.0.92:53 -> 10.168.0.96:53 nat weight 0",
		"~ tcp://10.168.0.91:80 -> 10.168.0.94:80 nat weight 0",
		"- udp://10.168.0.92:53 -> 10.168.0.98:53",
		"- tcp://10.168.0.91:80",
	}
	if !slices.Equal(got, want) {
		t.Errorf("changes %q, want %q", got, want)
	}
}

package lvs

import (
	"encoding/json"
	"errors"
	"net/netip"
	"reflect"
	"strings"
	"testing"

	"github.com/golvs/lvs/internal/netstate"
	"github.com/google/go-cmp/cmp"
)

// oneOfEach has a resource of each kind, in the order of the table.
var oneOfEach = []Resource{
	Sysctl{SysctlIPForward, "1"},
	Link{Name: "d0", Kind: "dummy", Up: true},
	Address{Interface: "eth0", Prefix: hostPrefix(vip4), Label: "eth0:0", Scope: "global"},
	Route{To: inner5, Via: router4, AdvMSS: 1400},
	Rule{Priority: 7, Table: 7, Mark: 7},
	SourceNAT{From: inner4, Out: "eth1"},
	PacketMark{Table: "t", To: hostPrefix(vip4), Protocol: ProtocolTCP, Ports: PortRange{80, 90}, Mark: 7},
	FOUPort{Port: 6080},
	IPsecPolicy{From: hostPrefix(local4), To: hostPrefix(router4), SPI: 256},
	IPsecAssociation{From: local4, To: router4, SPI: 256},
	Module{"ipip"},
	foundRoute{Route{To: inner5, Table: netstate.MainTable, Interface: "eth0"}, "site", 16},
	duplicateAddress{Address{Interface: "eth0", Prefix: hostPrefix(vip6)}},
	foreignResource{Rule{Priority: 7, Table: 7, Mark: 7}},
}

func TestResourceKinds(t *testing.T) {
	for i, r := range oneOfEach {
		kind := resourceKinds[i]
		text, err := json.Marshal(wrapResource(r))
		must(t, err)
		if !strings.HasPrefix(string(text), `{"`+kind.name+`":{`) {
			t.Errorf("%T is %s, want the kind %s", r, text, kind.name)
		}
		var back resourceJSON
		if err := json.Unmarshal(text, &back); err != nil || back.Resource != r {
			t.Errorf("%s was read as %#v, %v", text, back.Resource, err)
		}
		if n := r.toNetwork(); n != nil {
			seen, full := resourceFrom(n), r
			if r, _ := r.complete(nil); r != nil {
				full = r
			}
			if seen == nil || !full.matches(seen) && !isForeign(r) {
				t.Errorf("the network's %#v is %#v, want %#v", n, seen, full)
			}
		}
	}
	if len(oneOfEach) != len(resourceKinds) {
		t.Errorf("%d of %d kinds are tested", len(oneOfEach), len(resourceKinds))
	}
	var back resourceJSON
	for _, text := range []string{
		`{}`, `{"nosuch":{}}`, `{"link":{"name":"a"},"module":{"name":"b"}}`, `{"link":{"nome":"a"}}`, `{"link":[]}`,
		`{"foreign":{}}`, `{"foreign":null}`, `{"foreign":{"link":{"name":"lo"}}}`, `{"foreign":{"foreign":{"rule":{}}}}`,
	} {
		if err := json.Unmarshal([]byte(text), &back); err == nil {
			t.Errorf("%s was read as %#v", text, back.Resource)
		}
	}
}

// No exported field of a resource only says what was found: whatever a resource can
// express can be asked for.
func TestResourcesAreWishes(t *testing.T) {
	for _, r := range oneOfEach {
		for _, field := range reflect.VisibleFields(reflect.TypeOf(r)) {
			switch field.Name {
			case "Other", "DADFailed", "InSubnet", "AnyPrefix":
				t.Errorf("%T has the field %s", r, field.Name)
			}
		}
	}
	for _, r := range []Requirement{
		{Want: Module{"ipip"}, InSubnet: true}, {Want: Route{To: inner5, Interface: "eth0"}, AnyPrefix: true}, {},
		{Want: foreignResource{Rule{Priority: 7, Table: 7}}}, {Want: foundRoute{Route: Route{To: inner5, Interface: "eth0"}}},
	} {
		_, h := simulatedHost(t)
		if _, err := h.Plan(t.Context(), Setup{r}); !errors.Is(err, ErrInvalid) {
			t.Errorf("%#v: got %v, want ErrInvalid", r, err)
		}
	}
}

// A saved plan says exactly what to restore, also what cannot be asked for.
func TestSavedPlanRestoresFound(t *testing.T) {
	s, h := simulatedHost(t)
	for _, found := range []netstate.Resource{
		netstate.Route{To: defaultRoute(vip4), Table: netstate.MainTable, Via: netip.MustParseAddr("10.168.0.1"), Interface: "eth0", Scope: "site", Protocol: 16, MTU: 1400},
		netstate.Address{Interface: "eth0", Prefix: hostPrefix(vip6), Scope: "global", DADFailed: true},
		netstate.Address{Interface: "eth0", Prefix: hostPrefix(vip4), Scope: "global", Other: true},
	} {
		must(t, s.network.Put(found))
	}
	before := s.dump()
	for i, line := range before { // an address that is in use now is better than a duplicate
		before[i] = strings.ReplaceAll(line, "DADFailed:true", "DADFailed:false")
	}
	plan, err := h.Plan(t.Context(), Setup{
		{Want: Route{To: defaultRoute(vip4), Via: router4}},
		{Want: Address{Interface: "eth0", Prefix: hostPrefix(vip6)}},
		{Want: Address{Interface: "eth0", Prefix: netip.PrefixFrom(vip4, 24), Label: "eth0:0"}, AnyPrefix: true, InSubnet: true},
	})
	must(t, err)
	for i, want := range []bool{true, true, false} {
		if plan.Steps[i].HasChanges() != want {
			t.Errorf("step %d has changes: %t:\n%s", i, !want, plan)
		}
	}
	plan = saved(t, plan)
	must(t, h.Apply(t.Context(), plan))
	if route, err := h.find(t.Context(), Route{To: defaultRoute(vip4)}); err != nil || route != (Route{To: defaultRoute(vip4), Table: netstate.MainTable, Via: router4, Interface: "eth0"}) {
		t.Errorf("the host has %#v, %v", route, err)
	}
	if kept, err := h.Undo(t.Context(), plan); err != nil || kept != nil {
		t.Errorf("%v, kept %v", err, kept)
	}
	if diff := cmp.Diff(before, s.dump()); diff != "" {
		t.Errorf("after Undo (-before +after):\n%s", diff)
	}
}

package health

import (
	"context"
	"net/netip"
	"testing"
)

func TestAt(t *testing.T) {
	var asked Target
	ask := &Func{Name: "ask", Ask: func(_ context.Context, t Target) (Answer, error) {
		asked = t
		return Answer{Content: "x"}, nil
	}}
	target := Target{Server: netip.MustParseAddrPort("10.1.0.1:80"), Addr: netip.MustParseAddrPort("10.1.0.1:80")}
	p := At{Addr: netip.MustParseAddr("10.2.0.1"), Ask: ask}
	answer, err := p.Probe(t.Context(), target)
	if err != nil || answer.Content != "x" || asked.Addr.String() != "10.2.0.1:80" || asked.Server != target.Server {
		t.Errorf("%v, %v, asked %+v", answer, err, asked)
	}
	if got := p.String(); got != "ask at 10.2.0.1" {
		t.Error(got)
	}
	for field, bad := range map[string]At{"Addr": {Ask: ask}, "Ask": {Addr: p.Addr}, "Ask.Func.Ask": {p.Addr, &Func{}}} {
		if err, ok := bad.validate().(*InvalidError); !ok || err.Field != field {
			t.Errorf("%+v: %v, want an error of %s", bad, err, field)
		}
	}
	text, err := MarshalProbe(At{p.Addr, TCP{Port: 8}})
	if string(text) != `{"at":{"addr":"10.2.0.1","ask":{"tcp":{"port":8}}}}` || err != nil {
		t.Errorf("%s, %v", text, err)
	}
	if read, err := UnmarshalProbe(text); read != (At{p.Addr, TCP{Port: 8}}) || err != nil {
		t.Errorf("%v, %v", read, err)
	}
}

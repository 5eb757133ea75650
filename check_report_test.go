package lvs

import (
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"net/netip"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// A report is OK when all that the states of hosts show was seen, and nothing is wrong.
func TestReportOK(t *testing.T) {
	director, server := firewallGround(t, DR(), "")
	director.Unread, server.Unread = nil, nil
	damaged := server
	damaged.Listeners = nil
	unread := server
	unread.Unread = []Unread{{What: "firewall", Why: "nft is missing"}}
	partial := server
	partial.Unread = []Unread{{What: "routes", Why: "there are more than 100000", Command: "ip route show table all"}}
	for _, c := range []struct {
		name  string
		peers []HostState
		want  bool
	}{
		{"with the real server", []HostState{server}, true},
		{"with all hosts", []HostState{director, server}, true},
		{"without the real server", nil, false},
		{"with itself alone", []HostState{director}, false},
		{"with a broken real server", []HostState{damaged}, false},
		{"with one whose routes are not all known", []HostState{partial}, false},
		{"with one whose firewall is not known", []HostState{unread}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := judgeHosts(director, nil, nil, c.peers)
			if r.OK() != c.want {
				t.Errorf("OK is %v for\n%s", r.OK(), r)
			}
			text := r.String()
			if all := strings.Contains(text, "director: nothing wrong was found\n"); all != c.want {
				t.Errorf("the text says %q", text)
			}
			for _, f := range slices.Concat(r.Findings, r.Unchecked) {
				if !strings.Contains(text, string(f.Code)) {
					t.Errorf("the text does not name %s: %q", f.Code, text)
				}
			}
		})
	}
	if (Report{}).OK() {
		t.Error("the zero report is OK")
	}
}

// Every code is a constant, has a reason, and is reported by some check, and none is
// written as a string.
func TestCheckCodes(t *testing.T) {
	fset := token.NewFileSet()
	names, err := filepath.Glob("check*.go")
	must(t, err)
	constants, uses := make(map[string]FindingCode), make(map[string]int)
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(fset, name, nil, 0)
		must(t, err)
		for _, d := range file.Decls {
			general, ok := d.(*ast.GenDecl)
			if !ok || general.Tok != token.CONST || name != "check_code.go" {
				continue
			}
			for _, s := range general.Specs {
				value := s.(*ast.ValueSpec)
				text, err := strconv.Unquote(value.Values[0].(*ast.BasicLit).Value)
				must(t, err)
				constants[value.Names[0].Name] = FindingCode(text)
			}
		}
		ast.Inspect(file, func(n ast.Node) bool {
			if id, ok := n.(*ast.Ident); ok && name != "check_code.go" && name != "check_report.go" {
				uses[id.Name]++
			}
			if lit, ok := n.(*ast.BasicLit); ok && name != "check_code.go" && lit.Kind == token.STRING {
				if text, _ := strconv.Unquote(lit.Value); FindingCode(text).Why() != "" && strings.Contains(text, "-") {
					t.Errorf("%s: %q is written as a string", fset.Position(lit.Pos()), text)
				}
			}
			return true
		})
	}
	all := CheckCodes()
	for name, code := range constants {
		if all[code] == "" || code.Why() != all[code] {
			t.Errorf("%s has no reason", name)
		}
		if uses[name] == 0 {
			t.Errorf("nothing reports %s", name)
		}
		delete(all, code)
	}
	for code := range all {
		t.Errorf("%s is not a constant", code)
	}
	if len(constants) < 70 {
		t.Errorf("only %d constants were found", len(constants))
	}
	if FindingCode("vip-misssing").Why() != "" {
		t.Error("an unknown code has a reason")
	}
}

// A real server of weight 0 is reported unless it had connections, or nothing shows
// whether it had.
func TestCheckWeightZero(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(e *ServiceEntry)
		want   bool
	}{
		{"never had a connection", func(*ServiceEntry) {}, true},
		{"drained", func(e *ServiceEntry) { e.RealServers[0].Stats.Conns = 1 }, false},
		{"draining", func(e *ServiceEntry) { e.RealServers[0].ActiveConns = 1 }, false},
		{"with persistent clients", func(e *ServiceEntry) { e.RealServers[0].PersistentConns = 1 }, false},
		{"counters zeroed", func(e *ServiceEntry) { e.RealServers[1].InactiveConns = 1 }, false},
		{"has a weight", func(e *ServiceEntry) { e.RealServers[0].Weight = 1 }, false},
		{"no other has a weight", func(e *ServiceEntry) { e.RealServers[1].Weight = 0 }, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			director, server := firewallGround(t, DR(), "")
			e := &director.Services[0]
			other := RealServerStatus{RealServer: NewRealServer(netip.MustParseAddrPort("10.168.0.99:80"), DR())}
			e.RealServers = append(e.RealServers, other)
			e.RealServers[0].Weight = 0
			c.change(e)
			r := judgeHosts(director, nil, nil, []HostState{server})
			if got := slices.Contains(codes(r.Findings), "weight-zero"); got != c.want {
				t.Errorf("reported: %v\n%s", got, r)
			}
		})
	}
}

// A report is complete in JSON, with the changes that fix a finding.
func TestReportJSON(t *testing.T) {
	director, server := firewallGround(t, DR(), "")
	director.Services[0].RealServers[0].Weight = 0
	r := judgeHosts(director, nil, nil, []HostState{server})
	text, err := json.Marshal(r)
	must(t, err)
	var read Report
	must(t, json.Unmarshal(text, &read))
	i := slices.IndexFunc(read.Findings, func(f Finding) bool { return f.Code == FindingNoServer })
	if i < 0 || len(read.Findings[i].Changes) != 1 || read.String() != r.String() || read.OK() {
		t.Errorf("read %s\nwant %s", read, r)
	}
}

package keepalived

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/golvs/lvs"
	"github.com/google/go-cmp/cmp"
)

// flat reads a text and returns the statements that it means, one a line, with blocks
// between braces.
func flat(t *testing.T, text string, o Options) (lines []string, notes []Note) {
	t.Helper()
	if o.Root == nil {
		o.Root = fstest.MapFS{}
	}
	if o.ID == "" {
		o.ID = "here"
	}
	r := newReader(o)
	if err := r.text("/etc/keepalived/keepalived.conf", []byte(text)); err != nil {
		t.Fatal(err)
	}
	top, err := r.tree.end()
	if err != nil {
		t.Fatal(err)
	}
	var walk func([]*statement)
	walk = func(all []*statement) {
		for _, s := range all {
			words := make([]string, len(s.words))
			for i, w := range s.words {
				words[i] = w.text
			}
			line := strings.Join(words, "|")
			if !s.isBlock {
				lines = append(lines, line)
				continue
			}
			lines = append(lines, line+" {")
			walk(s.children)
			lines = append(lines, "}")
		}
	}
	walk(top)
	return lines, r.notes
}

func TestSyntax(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"comments":            {"a # b\n! c\n  d ! e\n#\n\nf\\#g h\\!i", "a d f#g|h!i"},
		"no comment":          {`a "b # c" d`, `a|b # c|d`},
		"quotes":              {`a "b c"d e`, "a|b c|d|e"},
		"line ends":           {"a\r\nb\r\n", "a b"},
		"block":               {"global_defs {\n a b\n}\nc", "global_defs { a|b } c"},
		"block on a line":     {"global_defs { a b }", "global_defs { a|b }"},
		"brace below":         {"global_defs\n{\na }\nb", "global_defs { a } b"},
		"blocks within":       {"global_defs { a { b { c d } } }", "global_defs { a { b { c|d } } }"},
		"brace in quotes":     {`global_defs { a "{ }" }`, "global_defs { a|{ } }"},
		"dropped block":       {"vrrp_instance VI { state MASTER\n virtual_ipaddress { 10.0.0.1 } }", "vrrp_instance|VI { }"},
		"condition":           {"@here a\n@there b\n@^here c\n@^there d\n@here", "a d"},
		"condition of blocks": {"@here global_defs {\n@there a\n @here b\n}", "global_defs { b }"},
		"definition":          {"$A=x y\na $A\n", "a|x|y"},
		"braces":              {"$A=x\na ${A}y $A, $Ay", "a|xy|x,|$Ay"},
		"undefined":           {"$A=1\na $B ${A}$", "a|$B|1$"},
		"recursion":           {"$A=1.${B}\n$B=2\na ${A}.3\n$B=4\na ${A}.3", "a|1.2.3 a|1.4.3"},
		"empty":               {"$A=\na $A b", "a|b"},
		"definition of if":    {"$IF=@here\n$IF a\n$IF=@there\n$IF b", "a"},
		"conditional":         {"@here $A=1\n@there $A=2\na $A", "a|1"},
		"several lines":       {"$A= \\\n a ${N} \\\n @here b \\\n# no\n @there c \\\n d\n$N=1\n$A\n$N=2\n$A\n", "a|1 b d a|2 b d"},
		"first line":          {"$A=a \\\n b\nx $A", "x|a b"},
		"only at the end":     {"$A=a \\\n b\nx $A y", "x|$A|y"},
		"nested":              {"$I= \\\n s ${N} \\\n t\n$O= \\\n global_defs { \\\n $N=1 \\\n $I \\\n $N=2 \\\n $I \\\n }\n$O\nend", "global_defs { s|1 t s|2 t } end"},
		"empty line ends":     {"$A= \\\n a \\\n\nb\n$A", "b a"},
		"predefined":          {"a ${_PWD}/x $_INSTANCE ${_HASH}b ${_BANG}", "a|/etc/keepalived/x|here|#b|!"},
		"random":              {"a ${_RANDOM 3 9} ${_RANDOM}", "a|3|0"},
		"sequence":            {"~SEQ(N, 0, 2) a ${N}", "a|0 a|1 a|2"},
		"sequence of step":    {"~SEQ(N, 5, -2, 1) a $N", "a|5 a|3 a|1"},
		"sequence to":         {"~SEQ(N, 3) a $N\n~SEQ(M,-2) b $M", "a|1 a|2 a|3 b|-1 b|-2"},
		"hexadecimal":         {"~SEQx(N, 0x9, 0xb) a::${N}", "a::9 a::a a::b"},
		"sequences":           {"~SEQ(N,1,2) ~SEQ(M,1,2) a ${N}${M}", "a|11 a|12 a|21 a|22"},
		"sequence of lines":   {"$A= \\\n a ${N} \\\n b\n~SEQ(N,1,2) $A", "a|1 b a|2 b"},
		"list":                {"~LST(N, x, y) a $N", "a|x a|y"},
		"list of groups":      {"~LST({N,  M},{1,2},{3,4}) a ${N}.${M}", "a|1.2 a|3.4"},
		"list and sequence":   {"~LST(N, x, y) ~SEQ(M, 1, 2) a ${N}${M}", "a|x1 a|x2 a|y1 a|y2"},
	} {
		t.Run(name, func(t *testing.T) {
			lines, _ := flat(t, c.text, Options{})
			if got := strings.Join(lines, " "); got != c.want {
				t.Errorf("%s\nmeans %s\nwant  %s", c.text, got, c.want)
			}
		})
	}
}

func TestInclude(t *testing.T) {
	root := fstest.MapFS{
		"etc/keepalived/d/a.conf":     {Data: []byte("a\ninclude sub/*.conf\n")},
		"etc/keepalived/d/b.conf":     {Data: []byte("b ${_PWD}\n")},
		"etc/keepalived/d/sub/c.conf": {Data: []byte("c ${_PWD}\n$X=1\n")},
		"srv/d.conf":                  {Data: []byte("global_defs {\n")},
	}
	var reported []string
	onFile := func(name string) { reported = append(reported, name) }
	lines, notes := flat(t, "x\ninclude d/*.conf\ny $X\ninclude {d/none,/srv/d}.conf\n z }\ninclude */*.d/x*", Options{Root: root, OnFile: onFile})
	want := "x a c|/etc/keepalived/d/sub b|/etc/keepalived/d y|1 global_defs { z }"
	if got := strings.Join(lines, " "); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if want := []string{
		"/etc/keepalived/d/a.conf", "/etc/keepalived/d/b.conf", "/etc/keepalived/d", "/etc/keepalived/d/sub/c.conf", "/etc/keepalived/d/sub",
		"/etc/keepalived/d/none.conf", "/srv/d.conf", "/etc/keepalived/d", "/etc/keepalived",
	}; !slices.Equal(reported, want) {
		t.Errorf("reported %q\nwant     %q", reported, want)
	}
	if len(notes) != 2 || notes[0].Line != 4 || !strings.Contains(notes[0].Text, `"/etc/keepalived/d/none.conf"`) {
		t.Errorf("notes: %v", notes)
	}
}

func TestSyntaxErrors(t *testing.T) {
	root := fstest.MapFS{
		"etc/keepalived/self.conf": {Data: []byte("\ninclude self.conf")},
		"etc/keepalived/bad.conf":  {Data: []byte("ok\n  }\n")},
	}
	const main = "/etc/keepalived/keepalived.conf"
	for text, want := range map[string]string{
		`a "b`:                         main + ":1:1: a quote has no end",
		"a\n  }":                       main + ":2:3: this } ends no block",
		"{":                            main + ":1:1: this { follows no keyword",
		"global_defs {\n a":            main + ":1:1: the block of global_defs has no end",
		"global_defs {\n a } b } c":    main + ":2:8: this } ends no block",
		"a\n\tb\x00":                   main + ":2:3: byte 0x00",
		"a \xff":                       main + ":1:3: byte 0xff",
		"include self.conf":            "/etc/keepalived/self.conf:2:1: \"/etc/keepalived/self.conf\" includes itself",
		"include bad.conf":             "/etc/keepalived/bad.conf:2:3: this } ends no block",
		"includer none":                "", // it may be absent, but not unreadable
		"includem none":                main + ":1:1: no file is called \"/etc/keepalived/none\"",
		"includew none/*":              main + ":1:1: no file",
		"includeb none":                main + ":1:1: no file",
		"includea none":                main + ":1:1: no file",
		"include [":                    main + ":1:1: \"[\" is not a pattern",
		"$A=$A $A\na $A":               main + ":2:1: definitions make a line too long",
		"$A= \\\n $A\n$A":              main + ":3:1: definitions make a line too long",
		"$A= \\\n x\\\n$A\n$A":         main + ":4:1: definitions and sequences are more than 32 deep",
		"~SEQ(N,1,2":                   main + ":1:1: want a form like ~SEQ",
		"~SEQ(N,1,x) a":                main + ":1:13: \"x\" is not a number",
		"~SEQ(N,1,-1,5) a":             main + ":1:16: a step of -1 does not lead from 1 to 5",
		"~SEQ(N,1,2000000000) a":       main + ":1:22: the sequence is too long",
		"~LST({A,B},{1}) a":            main + ":1:17: \"{1}\" is not 2 values",
		"~LST(A) a":                    main + ":1:9: want ~LST",
		"~ABC(1)":                      "",
		strings.Repeat("a {", 40):      main + ":1:99: blocks are more than 32 deep",
		strings.Repeat("a", maxLine+1): main + ":1:1: the line has more than",
		"~SEQ(A,9999) ~SEQ(B,9999) ~SEQ(C,9999) ${A} ${B}": main + ":1:40: definitions and sequences make more than 32 MiB",
	} {
		c, err := Parse(main, []byte(text), Options{Root: root, ID: "here"})
		if want == "" {
			if err != nil {
				t.Errorf("%.60q: %v", text, err)
			}
			continue
		}
		var bad *Error
		if !errors.As(err, &bad) || !errors.Is(err, lvs.ErrInvalid) || c != nil || !strings.HasPrefix(err.Error(), "keepalived: "+want) {
			t.Errorf("%.60q: %v\nwant keepalived: %s", text, err, want)
		}
	}
}

func TestSplitCommand(t *testing.T) {
	for text, want := range map[string][]string{
		`a b  c`:              {"a", "b", "c"},
		`a "b c" 'd "e"'`:     {"a", "b c", `d "e"`},
		`a b"c d"e ""`:        {"a", "bc de", ""},
		`a \x41\101\n\"\\\cA`: {"a", "AA\n\"\\\x01"},
	} {
		if got, ok := splitCommand(text); !ok || !cmp.Equal(got, want) {
			t.Errorf("%s: %q, %t", text, got, ok)
		}
	}
	if got, ok := splitCommand(`a "b`); ok {
		t.Errorf("an open quote: %q", got)
	}
}

func FuzzParse(f *testing.F) {
	for _, text := range []string{
		"virtual_server 10.0.0.1 80 {\n lb_algo rr\n protocol TCP\n real_server 10.0.0.2 80 {\n weight 1\n TCP_CHECK {\n connect_port 8 } } }",
		"virtual_server_group G {\n 10.0.0.1-200 80\n fwmark 1 inet6\n 10.1.0.0/16 }\nvirtual_server group G {\n lb_kind TUN type gue port 1 csum\n real_server 10.0.0.2 { } }",
		"$A= \\\n a ${B} \\\n ~SEQ(B,1,9) $C\n$C=$A\n~LST({A,B},{1,2}) $A\n@x a\ninclude {x,y}*",
		"track_file F { file /f\n weight 2 reverse }\nvirtual_server 10.0.0.1 80 { real_server 10.0.0.2 80 { FILE_CHECK { track_file F } DNS_CHECK { bindto ::1\n type DS } } }\nvirtual_server 10.0.0.1 80 { quorum_down \"/q 'a'\" x\n real_server 10.0.0.3 80 { inhibit_on_failure\n notify_up /n } }",
		"virtual_server fwmark 1 {\n persistence_granularity 255.255.255.0\n real_server ::1 { HTTP_GET { url { path / \n status_code 200-299 \n digest 640205b7b0fc66c1ea91c463fac6334d } } MISC_CHECK { misc_path \"a 'b c'\" } } }",
	} {
		f.Add([]byte(text))
	}
	root := fstest.MapFS{"x": {Data: []byte("include y\n$A=$A$A\n")}, "y": {Data: []byte("include x\n")}}
	f.Fuzz(func(t *testing.T, text []byte) {
		c, err := Parse("/keepalived.conf", text, Options{Root: root, ID: "x"})
		if err != nil {
			var bad *Error
			if !errors.As(err, &bad) || bad.Line < 1 || bad.Column < 1 || c != nil {
				t.Fatalf("%v", err)
			}
			return
		}
		if err := c.Table.Validate(); err != nil {
			t.Fatal(err)
		}
		if err := c.Hooks.Validate(c.Table); err != nil {
			t.Fatal(err)
		}
		if len(c.Policies) != len(c.Table.Services) {
			t.Fatalf("%d policies of %d services", len(c.Policies), len(c.Table.Services))
		}
		for _, n := range c.Notes {
			if n.Line < 1 || n.File == "" {
				t.Fatal(fmt.Sprint(n))
			}
		}
	})
}

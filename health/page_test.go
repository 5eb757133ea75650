package health

import (
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// The probes in docs/health.md can be used as they stand there, and the page has a row
// with all fields of each kind.
func TestPageProbes(t *testing.T) {
	text, err := os.ReadFile("../docs/health.md")
	if err != nil {
		t.Fatal(err)
	}
	page, shown := string(text), map[string]bool{}
	for _, m := range regexp.MustCompile("`({\"([a-z]+)\": [{[].*?[}\\]]})`").FindAllStringSubmatch(page, -1) {
		p, err := UnmarshalProbe([]byte(m[1]))
		if err == nil {
			err = validateProbe(p)
		}
		if err != nil {
			t.Errorf("%s: %v", m[1], err)
		}
		shown[m[2]] = true
	}
	rows := map[string]string{"tls of the others": fieldNames(fieldsOf(reflect.TypeFor[TLS]()))}
	for _, k := range probeKinds {
		if !shown[k.name] && k.name != "all" {
			t.Errorf("%s is not shown", k.name)
		}
		if k.name != "all" && k.name != "any" {
			rows[k.name] = fieldNames(fieldsOf(k.typ))
		}
	}
	for name, fields := range rows {
		want := "| " + name + " | " + fields + " |"
		if !slices.Contains(strings.Split(strings.ReplaceAll(page, "`", ""), "\n"), want) {
			t.Errorf("the page does not have the row %s", want)
		}
	}
}

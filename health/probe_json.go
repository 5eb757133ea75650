package health

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// probeKinds are the kinds of probes that have a form in JSON: an object whose one
// key is the name of the kind.
var probeKinds = []probeKind{
	kind[TCP]("tcp"),
	kind[HTTP]("http"),
	kind[GRPC]("grpc"),
	kind[SMTP]("smtp"),
	kind[Agent]("agent"),
	kind[DNS]("dns"),
	kind[UDP]("udp"),
	kind[Ping]("ping"),
	kind[Exec]("exec"),
	kind[File]("file"),
	kind[Number]("number"),
	kind[All]("all"),
	kind[Any]("any"),
	kind[At]("at"),
	kind[From]("from"),
}

type probeKind struct {
	name string
	typ  reflect.Type
}

func kind[P Probe](name string) probeKind { return probeKind{name, reflect.TypeFor[P]()} }

// MarshalProbe returns a probe in JSON, such as {"http": {"path": "/ready"}}. Fields that
// are zero are left out, and durations are texts such as "1m30s". A [Func] is written
// with its name alone, and cannot be read. Types of other packages have no form in JSON:
// the error matches [lvs.ErrInvalid].
func MarshalProbe(p Probe) ([]byte, error) { return encode(&p) }

// UnmarshalProbe reads what [MarshalProbe] returns. The error matches [lvs.ErrInvalid],
// and its field is the path of what is wrong, such as "http.path". Values are not
// validated: see [Policy].
func UnmarshalProbe(text []byte) (Probe, error) {
	var p Probe
	err := decode(text, &p)
	return p, err
}

// probe writes a probe as an object of one key.
func (e *encoder) probe(v reflect.Value) error {
	if v.IsNil() {
		e.WriteString("null")
		return nil
	}
	if f, ok := v.Interface().(*Func); ok && f != nil {
		return e.member(funcKind, reflect.ValueOf(f.Name))
	}
	v = v.Elem()
	if v.Kind() == reflect.Pointer && !v.IsNil() {
		v = v.Elem()
	}
	for _, k := range probeKinds {
		if k.typ == v.Type() {
			return e.member(k.name, v)
		}
	}
	return invalid("Probe", "%s has no form in JSON", v.Type())
}

// funcKind is the key of a [Func].
const funcKind = "func"

// member writes an object with one member.
func (e *encoder) member(name string, v reflect.Value) error {
	fmt.Fprintf(e, "{%q:", name)
	if err := e.value(v); err != nil {
		return err
	}
	e.WriteByte('}')
	return nil
}

// probe reads what probe of an encoder writes.
func (d *decoder) probe(text json.RawMessage, into reflect.Value) error {
	members, err := d.members(text)
	if err != nil {
		return err
	}
	if len(members) != 1 {
		return d.fail("has %d keys, and must have one: %s", len(members), kindNames())
	}
	m := members[0]
	i := slices.IndexFunc(probeKinds, func(k probeKind) bool { return k.name == m.name })
	switch {
	case m.name == funcKind:
		return d.failAt(m.name, "is a function, which only the program that has it can use")
	case i < 0:
		return d.failAt(m.name, "is not a kind of probe; want %s", kindNames())
	}
	p := reflect.New(probeKinds[i].typ).Elem()
	if err := d.within(m.name, m.value, p); err != nil {
		return err
	}
	into.Set(p)
	return nil
}

func kindNames() string {
	names := make([]string, len(probeKinds))
	for i, k := range probeKinds {
		names[i] = k.name
	}
	last := len(names) - 1
	return strings.Join(names[:last], ", ") + " or " + names[last]
}

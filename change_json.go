package lvs

import (
	"encoding/json"
	"net/netip"
	"reflect"
	"strconv"
	"strings"
)

// changeFile is a change in JSON and YAML. Which fields it has depends on the
// operation: see [Change.file].
type changeFile struct {
	Op         Op              `json:"op" yaml:"op"`
	ID         *ServiceID      `json:"id,omitempty" yaml:"id,omitempty"`
	Addr       *netip.AddrPort `json:"addr,omitempty" yaml:"addr,omitempty"`
	Role       *SyncRole       `json:"role,omitempty" yaml:"role,omitempty"`
	Service    *Service        `json:"service,omitempty" yaml:"service,omitempty"`
	RealServer *RealServer     `json:"realServer,omitempty" yaml:"realServer,omitempty"`
	Timeouts   *Timeouts       `json:"timeouts,omitempty" yaml:"timeouts,omitempty"`
	SyncDaemon *SyncDaemon     `json:"syncDaemon,omitempty" yaml:"syncDaemon,omitempty"`
}

// MarshalJSON returns an object with the operation and its operands, such as
// {"op": "remove-real-server", "id": "tcp://10.168.0.91:80", "addr": "10.168.0.94:80"}
// or {"op": "add-service", "service": {…}}. The error matches [ErrInvalid] for the
// zero Change.
func (ch Change) MarshalJSON() ([]byte, error) {
	f, err := ch.file()
	if err != nil {
		return nil, err
	}
	return json.Marshal(f)
}

// UnmarshalJSON reads what MarshalJSON returns. The error matches [ErrInvalid] for
// an unknown operation, and for a field that is unknown, missing, or not of the
// operation. Values are not validated: see [Change.Validate].
func (ch *Change) UnmarshalJSON(text []byte) error {
	return ch.decode(func(into any) error { return unmarshalStrict("change", text, into) })
}

// MarshalYAML returns the fields of MarshalJSON, for the usual YAML packages.
func (ch Change) MarshalYAML() (any, error) { return ch.file() }

// UnmarshalYAML reads what MarshalYAML returns, as UnmarshalJSON does. It is the method
// that YAML packages look for.
func (ch *Change) UnmarshalYAML(unmarshal func(any) error) error {
	return ch.decode(func(into any) error { return unmarshalStrictYAML("change", unmarshal, into) })
}

// file returns the change with the fields that its operation has.
func (ch Change) file() (*changeFile, error) {
	if ch.get().kind == noChange {
		return nil, ch.Validate()
	}
	return ch.get().file(), nil
}

func (d *changeData) file() *changeFile {
	f := &changeFile{Op: changeKinds[d.kind].op}
	switch d.kind {
	case addService, updateService, putService:
		f.Service = &d.service
	case removeService, zeroService:
		f.ID = &d.service.ID
	case addServer, updateServer, putServer:
		f.ID, f.RealServer = &d.service.ID, &d.server
	case removeServer:
		f.ID, f.Addr = &d.service.ID, &d.server.Addr
	case setTimeouts:
		f.Timeouts = &d.rare.timeouts
	case startDaemon:
		f.SyncDaemon = &d.rare.daemon
	case stopDaemon:
		f.Role = &d.rare.daemon.Role
	}
	return f
}

func (ch *Change) decode(into func(any) error) error {
	var f changeFile
	if err := into(&f); err != nil {
		return err
	}
	read := changeData{kind: kindOf(f.Op), rare: new(rareChange)}
	if read.kind == noChange {
		return invalid("op", "%q is not the operation of a change", f.Op).about(OpParse, "change")
	}
	if err := read.file().sameFields(&f); err != nil {
		return err.about(OpParse, "change "+strconv.Quote(string(f.Op)))
	}
	setIfPresent(&read.service, f.Service)
	setIfPresent(&read.service.ID, f.ID)
	setIfPresent(&read.server, f.RealServer)
	setIfPresent(&read.server.Addr, f.Addr)
	setIfPresent(&read.rare.timeouts, f.Timeouts)
	setIfPresent(&read.rare.daemon, f.SyncDaemon)
	setIfPresent(&read.rare.daemon.Role, f.Role)
	*ch = Change{data: &read}
	return nil
}

// sameFields refuses a file that lacks fields of this one or has others.
func (want *changeFile) sameFields(got *changeFile) *Error {
	w, g := reflect.ValueOf(want).Elem(), reflect.ValueOf(got).Elem()
	for i := range w.NumField() {
		name, _, _ := strings.Cut(w.Type().Field(i).Tag.Get("json"), ",")
		switch needed, present := !w.Field(i).IsZero(), !g.Field(i).IsZero(); {
		case needed && !present:
			return invalid(name, "is missing")
		case present && !needed:
			return invalid(name, "does not belong to the operation")
		}
	}
	return nil
}

// kindOf returns the kind of change of an operation, or noChange.
func kindOf(op Op) changeKind {
	for kind, k := range changeKinds {
		if k.op == op {
			return changeKind(kind)
		}
	}
	return noChange
}

func setIfPresent[T any](to, from *T) {
	if from != nil {
		*to = *from
	}
}

package lvs

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/golvs/lvs/internal/netstate"
)

// resourceKind is one kind of [Resource].
type resourceKind struct {
	name string // in JSON

	// is reports whether a resource is of the kind.
	is func(Resource) bool

	// decode reads the JSON of a resource of the kind.
	decode func(text []byte) (Resource, error)

	// fromNetwork returns what the network has as a resource of the kind, nil for
	// another kind.
	fromNetwork func(netstate.Resource) Resource
}

// resourceKinds lists all kinds, those that only describe what was found last.
var resourceKinds = [...]resourceKind{
	resourceKindOf[Sysctl]("sysctl"),
	resourceKindOf[Link]("link").from(networkResource(func(l netstate.Link) Resource { return Link(l) })),
	resourceKindOf[Address]("address").from(networkResource(addressFrom)),
	resourceKindOf[Route]("route").from(networkResource(routeFrom)),
	resourceKindOf[Rule]("rule").from(networkResource(ruleFrom)),
	resourceKindOf[SourceNAT]("sourceNAT").from(networkResource(sourceNATFrom)),
	resourceKindOf[PacketMark]("packetMark").from(networkResource(packetMarkFrom)),
	resourceKindOf[FOUPort]("fouPort").from(networkResource(fouPortFrom)),
	resourceKindOf[IPsecPolicy]("policy").from(networkResource(policyFrom)),
	resourceKindOf[IPsecAssociation]("association").from(networkResource(associationFrom)),
	resourceKindOf[Module]("module").from(networkResource(func(m netstate.Module) Resource { return Module(m) })),

	resourceKindOf[foundRoute]("foundRoute"),
	resourceKindOf[duplicateAddress]("duplicateAddress"),
	resourceKindOf[foreignResource]("foreign"),
}

// resourceKindOf returns the kind of the resources of a type.
func resourceKindOf[R Resource](name string) resourceKind {
	return resourceKind{
		name: name,
		is:   func(r Resource) bool { _, ok := r.(R); return ok },
		decode: func(text []byte) (Resource, error) {
			var r R
			d := json.NewDecoder(bytes.NewReader(text))
			d.DisallowUnknownFields()
			err := d.Decode(&r)
			return r, err
		},
		fromNetwork: func(netstate.Resource) Resource { return nil },
	}
}

func (k resourceKind) from(convert func(netstate.Resource) Resource) resourceKind {
	k.fromNetwork = convert
	return k
}

// networkResource makes a conversion of one type one of all types.
func networkResource[N netstate.Resource](convert func(N) Resource) func(netstate.Resource) Resource {
	return func(r netstate.Resource) Resource {
		if n, ok := r.(N); ok {
			return convert(n)
		}
		return nil
	}
}

// resourceFrom returns what the network has as a resource, nil for nothing.
func resourceFrom(n netstate.Resource) Resource {
	for _, kind := range resourceKinds {
		if r := kind.fromNetwork(n); r != nil {
			return r
		}
	}
	return nil
}

// resourceJSON is a resource in JSON: an object whose one field names the kind.
type resourceJSON struct{ Resource }

// wrapResource returns the resource for JSON, nil for nothing.
func wrapResource(r Resource) *resourceJSON {
	if r == nil {
		return nil
	}
	return &resourceJSON{r}
}

// resource returns the resource that was read, nil for nothing.
func (o *resourceJSON) resource() Resource {
	if o == nil {
		return nil
	}
	return o.Resource
}

// MarshalJSON writes {"address": {…}}.
func (o resourceJSON) MarshalJSON() ([]byte, error) {
	for _, kind := range resourceKinds {
		if kind.is(o.Resource) {
			return json.Marshal(map[string]Resource{kind.name: o.Resource})
		}
	}
	return nil, fmt.Errorf("lvs: %T is not a kind of resource", o.Resource)
}

// UnmarshalJSON reads what MarshalJSON writes.
func (o *resourceJSON) UnmarshalJSON(text []byte) error {
	var one map[string]json.RawMessage
	if err := json.Unmarshal(text, &one); err != nil {
		return err
	}
	for _, kind := range resourceKinds {
		if value, ok := one[kind.name]; ok && len(one) == 1 {
			r, err := kind.decode(value)
			if err == nil {
				o.Resource = r
			}
			return err
		}
	}
	names := make([]string, len(resourceKinds))
	for i, kind := range resourceKinds {
		names[i] = kind.name
	}
	return invalid("resource", "want one of %s", strings.Join(names, ", ")).about(OpParse, "resource")
}

package lvs

import "github.com/golvs/lvs/internal/netstate"

// The types of this file describe what was found on a host. They cannot be asked for.

// foreignResource is a resource with properties that its type cannot express, such as
// an address with a lifetime. Nothing replaces it, for it could not be put back.
type foreignResource struct{ seen Resource }

// seenResource returns a resource that was found, as a foreign one if it is.
func seenResource(seen Resource, isForeign bool) Resource {
	if isForeign {
		return foreignResource{seen}
	}
	return seen
}

func isForeign(r Resource) bool {
	_, ok := r.(foreignResource)
	return ok
}

func (f foreignResource) String() string                       { return f.seen.String() + ", with more than that" }
func (f foreignResource) key() string                          { return f.seen.key() }
func (f foreignResource) validate() *Error                     { return onlyFound(f) }
func (f foreignResource) complete(Resource) (Resource, *Error) { return f, nil }
func (f foreignResource) matches(now Resource) bool            { return now == f }
func (f foreignResource) toNetwork() netstate.Resource         { return f.seen.toNetwork() }
func (f foreignResource) MarshalJSON() ([]byte, error)         { return wrapResource(f.seen).MarshalJSON() }

// Equal reports whether both are the same.
func (f foreignResource) Equal(other foreignResource) bool { return f == other }

// UnmarshalJSON refuses resources of types that express all there can be.
func (f *foreignResource) UnmarshalJSON(text []byte) error {
	var seen resourceJSON
	if err := seen.UnmarshalJSON(text); err != nil {
		return err
	}
	switch seen.Resource.(type) {
	case Sysctl, Link, Module, foreignResource:
		return invalid("foreign", "%s cannot be foreign", seen.Resource).about(OpParse, "resource")
	}
	f.seen = seen.Resource
	return nil
}

// duplicateAddress is an IPv6 address that another host on the link has too. The
// kernel does not use it.
type duplicateAddress struct{ Address }

// Equal reports whether both are the same.
func (d duplicateAddress) Equal(other duplicateAddress) bool { return d == other }

func (d duplicateAddress) validate() *Error                     { return onlyFound(d) }
func (d duplicateAddress) complete(Resource) (Resource, *Error) { return d, nil }

// matches accepts the address in use, which is better.
func (d duplicateAddress) matches(now Resource) bool {
	if n, ok := now.(duplicateAddress); ok {
		now = n.Address
	}
	return d.Address.matches(now)
}

func (d duplicateAddress) toNetwork() netstate.Resource {
	n := d.Address.toNetwork().(netstate.Address)
	n.DADFailed = true
	return n
}

// foundRoute is a route whose scope or protocol is not that of a [Route], such as the
// one of a DHCP client.
type foundRoute struct {
	Route
	Scope    string `json:"scope,omitempty"` // of an IPv4 route
	Protocol int    `json:"protocol"`        // the number of the program that made it
}

// Equal reports whether both are the same.
func (f foundRoute) Equal(other foundRoute) bool { return f == other }

func (f foundRoute) validate() *Error                     { return onlyFound(f) }
func (f foundRoute) complete(Resource) (Resource, *Error) { return f, nil }
func (f foundRoute) matches(now Resource) bool            { return now == f }

func (f foundRoute) toNetwork() netstate.Resource {
	n := f.Route.toNetwork().(netstate.Route)
	n.Scope, n.Protocol = f.Scope, f.Protocol
	return n
}

// onlyFound is the error of asking for what can only be found.
func onlyFound(r Resource) *Error {
	return invalid("Want", "%s describes what was found, and cannot be asked for", r)
}

// plainResource returns the address or the route that is in what was found, and
// everything else as it is.
func plainResource(r Resource) Resource {
	switch r := r.(type) {
	case duplicateAddress:
		return r.Address
	case foundRoute:
		return r.Route
	case foreignResource:
		switch seen := plainResource(r.seen).(type) {
		case Address, Route:
			return seen
		}
	}
	return r
}

package lvs

import (
	"slices"
	"strings"

	"github.com/golvs/lvs/internal/netstate"
)

// Sysctl is the value of a kernel parameter of the namespace.
type Sysctl struct {
	Key   SysctlKey `json:"key"`   // such as [SysctlIPForward]
	Value string    `json:"value"` // as its file has it, without the end of the line
}

// String returns the command of sysctl(8) that sets the parameter.
func (s Sysctl) String() string {
	value := s.Value
	if strings.ContainsAny(value, " \t") {
		value = "'" + value + "'"
	}
	return "sysctl -w " + string(s.Key) + "=" + value
}

// key is the same for both names of a parameter that has two.
func (s Sysctl) key() string {
	if s.Key == SysctlIPForward {
		s.Key = InterfaceSysctl("all", "forwarding", false)
	}
	return "sysctl " + string(s.Key)
}

func (s Sysctl) validate() *Error {
	if _, err := s.Key.path(); err != nil {
		return err
	}
	if s.Value == "" || strings.ContainsAny(s.Value, "\n\x00") {
		return invalid("Value", "%q cannot be the value of a parameter", s.Value)
	}
	if p, ok := s.Key.Parameter(); ok {
		return p.check(s.Value)
	}
	return nil
}

// complete refuses numbers that the kernel would read in another way than they look
// (010 is eight), and those that would change a part of a parameter.
func (s Sysctl) complete(found Resource) (Resource, *Error) {
	if found == nil {
		return nil, &Error{kind: ErrNotFound, Field: string(s.Key), detail: "this kernel has no such parameter, or no such interface"}
	}
	was, want := strings.Fields(found.(Sysctl).Value), strings.Fields(s.Value)
	if len(was) == 0 || slices.ContainsFunc(was, func(n string) bool { return !isNumber(n) }) {
		return s, nil
	}
	for _, n := range want {
		if looksLikeNumber(n) && !isNumber(n) {
			return nil, invalid("Value", "%q is not how the kernel prints a number: write it in decimal, without a plus sign or leading zeros", n)
		}
	}
	if isPart := !slices.ContainsFunc(want, func(n string) bool { return !isNumber(n) }); isPart && len(want) != len(was) {
		return nil, invalid("Value", "%q has %d numbers, but the parameter has %d: %s", s.Value, len(want), len(was), found.(Sysctl).Value)
	}
	s.Value = strings.Join(want, " ")
	return s, nil
}

// isNumber reports whether a text is how the kernel writes a number.
func isNumber(text string) bool {
	digits := strings.TrimPrefix(text, "-")
	return digits != "" && strings.Trim(digits, "0123456789") == "" && (digits[0] != '0' || text == "0")
}

// looksLikeNumber reports whether the kernel may take a text for a number.
func looksLikeNumber(text string) bool {
	digits := strings.ToLower(strings.TrimLeft(text, "+-"))
	if hex, ok := strings.CutPrefix(digits, "0x"); ok {
		return strings.Trim(hex, "0123456789abcdef") == ""
	}
	return digits != "" && strings.Trim(digits, "0123456789") == ""
}

func (s Sysctl) matches(now Resource) bool {
	n, ok := now.(Sysctl)
	return ok && n.key() == s.key() && sameFields(n.Value, s.Value)
}

// sameFields compares values as the kernel reads them: it exchanges the white
// space between numbers.
func sameFields(a, b string) bool {
	return strings.Join(strings.Fields(a), " ") == strings.Join(strings.Fields(b), " ")
}

func (s Sysctl) toNetwork() netstate.Resource { return nil }

// interfaceOf returns the interface of the parameter, "" if it has none, or all have it.
func (s Sysctl) interfaceOf() string {
	part := strings.Split(string(s.Key), ".")
	if len(part) != 5 || part[0] != "net" || part[2] != "conf" && part[2] != "neigh" || part[3] == "all" || part[3] == "default" {
		return ""
	}
	return strings.ReplaceAll(part[3], "/", ".")
}

// inherited returns the parameter that a new interface gets this one's value
// from.
func (s Sysctl) inherited() Sysctl {
	part := strings.Split(string(s.Key), ".")
	part[3] = "default"
	return Sysctl{Key: SysctlKey(strings.Join(part, "."))}
}

// effects returns the other parameters that the kernel sets along with one. Turning
// forwarding on turns it on everywhere. A parameter of default is also that of the
// interfaces that follow it, which cannot be seen: for those maybe is true.
func (s Sysctl) effects(interfaces []string) (all []Sysctl, maybe bool) {
	switch s.Key {
	case SysctlIPForward, InterfaceSysctl("all", "forwarding", false):
		on, off := "1", "0"
		if s.Value == "0" {
			on, off = off, on
		}
		all = append(all, Sysctl{InterfaceSysctl("all", "accept_redirects", false), off})
		return append(all, forInterfaces(append([]string{"default"}, interfaces...), "forwarding", false, on)...), false
	case SysctlIPv6Forwarding:
		return forInterfaces(append([]string{"default"}, interfaces...), "forwarding", true, s.Value), false
	}
	if name, ok := strings.CutPrefix(string(s.Key), "net.ipv4.conf.default."); ok {
		return forInterfaces(interfaces, name, false, s.Value), true
	}
	return nil, false
}

func forInterfaces(names []string, name string, ipv6 bool, value string) []Sysctl {
	all := make([]Sysctl, len(names))
	for i, iface := range names {
		all[i] = Sysctl{InterfaceSysctl(iface, name, ipv6), value}
	}
	return all
}

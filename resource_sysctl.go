package lvs

import (
	"slices"
	"strings"

	"github.com/golvs/lvs/internal/netstate"
)

// Sysctl is a kernel parameter of the namespace, by the name that sysctl(8)
// gives it. A dot in the name of an interface is a slash in it:
// net.ipv4.conf.eth0/100.rp_filter.
type Sysctl struct {
	Key   string `json:"key"`   // such as net.ipv4.ip_forward
	Value string `json:"value"` // as its file has it, without the line's end
}

// InterfaceSysctl returns the name of a parameter that each interface has, such
// as rp_filter, for an interface, "all" or "default". IPv6's are others than
// IPv4's.
func InterfaceSysctl(iface, name string, ipv6 bool) string {
	family := "net.ipv4.conf."
	if ipv6 {
		family = "net.ipv6.conf."
	}
	return family + strings.ReplaceAll(iface, ".", "/") + "." + name
}

func (s Sysctl) String() string {
	value := s.Value
	if strings.ContainsAny(value, " \t") {
		return "sysctl -w " + s.Key + "='" + value + "'"
	}
	return "sysctl -w " + s.Key + "=" + value
}

// key is one for both names of a parameter that has two.
func (s Sysctl) key() string {
	if s.Key == SysctlIPForward {
		return "sysctl " + InterfaceSysctl("all", "forwarding", false)
	}
	return "sysctl " + s.Key
}

func (s Sysctl) validate() *Error {
	if _, err := sysctlPath(s.Key); err != nil {
		return err
	}
	if s.Value == "" || strings.ContainsAny(s.Value, "\n\x00") {
		return invalid("Value", "%q is no value of %s", s.Value, s.Key)
	}
	return checkSysctl(s.Key, s.Value)
}

// complete refuses numbers that the kernel would read in another way than they look
// (010 is eight), and those that would change a part of a parameter.
func (s Sysctl) complete(found Resource) (Resource, *Error) {
	if found == nil {
		return nil, &Error{kind: ErrNotFound, Field: s.Key, detail: "this kernel has no such parameter, or no such interface"}
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

// interfaceOf returns the interface that the parameter is about, "" if it is
// about none, or about all.
func (s Sysctl) interfaceOf() string {
	part := strings.Split(s.Key, ".")
	if len(part) != 5 || part[0] != "net" || part[2] != "conf" && part[2] != "neigh" || part[3] == "all" || part[3] == "default" {
		return ""
	}
	return strings.ReplaceAll(part[3], "/", ".")
}

// inherited returns the parameter that a new interface gets this one's value
// from.
func (s Sysctl) inherited() Sysctl {
	part := strings.Split(s.Key, ".")
	part[3] = "default"
	return Sysctl{Key: strings.Join(part, ".")}
}

// effects are the other parameters that the kernel sets along with one. Turning
// routing on turns it on everywhere. A parameter of default is also that of the
// interfaces that follow it, which cannot be seen: those are told as maybe.
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
	if name, ok := strings.CutPrefix(s.Key, "net.ipv4.conf.default."); ok {
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

// sysctlPath returns the file of a parameter. As for sysctl(8), a slash after the
// first dot stands for a dot in a name. What would lead out of the folder is
// refused.
func sysctlPath(key string) (string, *Error) {
	path := "/proc/sys"
	for part := range strings.SplitSeq(key, ".") {
		name := strings.ReplaceAll(part, "/", ".")
		isFirst := path == "/proc/sys"
		if name == "" || name[0] == '.' || isFirst && name != part || strings.ContainsAny(name, "\x00\n") {
			return "", invalid("key", "%q is no name of a kernel parameter, such as net.ipv4.ip_forward", key)
		}
		path += "/" + name
	}
	return path, nil
}

// sysctlKey is what sysctl(8) calls a file.
func sysctlKey(path string) string {
	return strings.NewReplacer(".", "/", "/", ".").Replace(strings.TrimPrefix(path, "/proc/sys/"))
}

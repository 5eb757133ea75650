package ipvsadm

import (
	"errors"
	"math"
	"net/netip"
	"strconv"
	"strings"

	"github.com/golvs/lvs"
)

// number reads a decimal number. A sign is allowed, as in ipvsadm.
func number(s string, least, most int) (int, *Error) {
	n, err := strconv.ParseInt(s, 10, 64)
	switch {
	case errors.Is(err, strconv.ErrSyntax):
		return 0, errorf("%s is not a decimal number", quote(s))
	case err != nil || n < int64(least) || n > int64(most):
		return 0, errorf("%s is out of range [%d, %d]", quote(s), least, most)
	}
	return int(n), nil
}

// checkName refuses names that are too long for the kernel, and those that ipvsadm or a
// shell would read as something else.
func checkName(s string) *Error {
	const most = 15
	switch {
	case len(s) > most:
		return errorf("%s has more than %d characters", quote(s), most)
	case s == "ipvsadm":
		return errorf("%s is a word that ipvsadm leaves out", quote(s))
	case strings.ContainsFunc(s, isNotInName):
		return errorf("%s may have only letters, digits, and %s", quote(s), nameSigns)
	}
	return nil
}

const nameSigns = "-_.:@+"

func isNotInName(r rune) bool {
	isLetter := 'a' <= r|0x20 && r|0x20 <= 'z'
	isDigit := '0' <= r && r <= '9'
	return !isLetter && !isDigit && !strings.ContainsRune(nameSigns, r)
}

// fwMark reads a firewall mark: a decimal or hexadecimal number, or the negative one
// that ipvsadm saves for a mark from 2^31 on.
func fwMark(s string) (uint32, *Error) {
	base, digits := 10, s
	if hex, ok := strings.CutPrefix(strings.ToLower(s), "0x"); ok {
		base, digits = 16, hex
	}
	n, err := strconv.ParseInt(digits, base, 64)
	if err != nil || n < math.MinInt32 || n > math.MaxUint32 || n == 0 || base == 16 && (n < 0 || digits[0] == '+') {
		return 0, errorf("%s is not a mark from 1 to 4294967295", quote(s))
	}
	return uint32(n), nil
}

// addrPort reads an address with or without a port, which is otherwise the given one.
func (r *request) addrPort(s string, port uint16, p lvs.Protocol) (netip.AddrPort, *Error) {
	host, digits, hasPort := s, "", false
	if inside, ok := strings.CutPrefix(s, "["); ok {
		if host, digits, hasPort = strings.Cut(inside, "]:"); !hasPort || !strings.Contains(host, ":") {
			return netip.AddrPort{}, errorf("%s is not an address", quote(s)).
				or("brackets are around an IPv6 address with a port: [2001:db8::1]:80, or 2001:db8::1")
		}
	} else if strings.Count(s, ":") == 1 {
		host, digits, hasPort = strings.Cut(s, ":")
	}
	addr, err := r.parseAddr(host)
	if err == nil && hasPort {
		port, err = r.parsePort(digits, p)
	}
	return netip.AddrPortFrom(addr, port), err
}

func (r *request) parseAddr(s string) (netip.Addr, *Error) {
	addr, err := netip.ParseAddr(s)
	if err != nil && r.Names != nil {
		if addr, ok := r.Names.Addr(s); ok {
			return addr, nil
		}
	}
	switch {
	case err != nil:
		return addr, errorf("%s is not an address", quote(s)).or(hintAddr)
	case addr.Zone() != "":
		return addr, errorf("%s has a zone, which IPVS does not have", quote(s))
	case addr.Is4In6():
		return addr, mappedAddr(addr).or("write " + addr.Unmap().String())
	}
	return addr, nil
}

// mappedAddr is the error of an address that package lvs does not write as it is.
func mappedAddr(a netip.Addr) *Error {
	return errorf("%q is an IPv4 address that is mapped into IPv6", a)
}

const (
	hintNames = "names are not looked up"
	hintAddr  = hintNames + ", and an IPv4 address has four decimal numbers"
)

func (r *request) parsePort(s string, p lvs.Protocol) (uint16, *Error) {
	n, err := number(s, 0, math.MaxUint16)
	if err != nil && r.Names != nil && r.has(kindService) {
		if port, ok := r.Names.Port(s, p); ok {
			return port, nil
		}
	}
	if err != nil {
		err.text = "port " + err.text
		if strings.Trim(s, "-+0123456789") != "" {
			err.hint = hintNames
		}
	}
	return uint16(n), err
}

// mask reads the mask of an IPv4 service, or the prefix length of an IPv6 one.
func mask(s string, is6 bool) (lvs.Mask, *Error) {
	var m lvs.Mask
	if is6 {
		n, err := number(s, 1, 128)
		switch {
		case err != nil:
			return m, errorf("%s is not the length of a prefix, 1 to 128", quote(s))
		case n < 128:
			m = lvs.PrefixMask(n)
		}
		return m, nil
	}
	addr, err := netip.ParseAddr(s)
	if err != nil || !addr.Is4() {
		return m, errorf("%s is not a mask such as 255.255.255.0", quote(s)).
			or("for an IPv6 service give the length of its prefix, behind the service")
	}
	if m = lvs.DottedMask(addr.As4()); m == lvs.PrefixMask(32) {
		return lvs.Mask{}, nil
	}
	return m, nil
}

// schedulerFlags reads the names of flags, separated by commas.
func schedulerFlags(s lvs.Scheduler, names string) (lvs.SchedulerFlags, *Error) {
	var all lvs.SchedulerFlags
	for name := range strings.SplitSeq(names, ",") {
		of, _, _ := strings.Cut(name, "-")
		switch name {
		case "":
			continue
		case "sh-fallback", "sh-port", "mh-fallback", "mh-port", "flag-1", "flag-2", "flag-3":
		default:
			return 0, errorf("%s is not a flag", quote(name)).or("give sh-fallback, sh-port, mh-fallback, mh-port, or flag-1 to flag-3").
				says("invalid scheduler flag `%s'", name)
		}
		if of != "flag" && of != s.String() {
			return 0, errorf("%s is a flag of the scheduler %s, not of %s", name, of, s).says("incompatible scheduler flag `%s'", name)
		}
		flag, err := lvs.ParseSchedulerFlags(name)
		if err != nil {
			return 0, refused(err)
		}
		all |= flag
	}
	return all, nil
}

package health

import (
	"net/netip"

	"github.com/golvs/lvs"
)

// validate returns an error that names the field within Limit, such as "Sorry[0]", if the
// limit can never work for the service.
func (l Limit) validate(s lvs.TableService) error {
	set := 0
	for _, isSet := range []bool{l.Share != 0, l.Count != 0, l.Weight != 0} {
		if isSet {
			set++
		}
	}
	switch {
	case !(l.Share >= 0 && l.Share <= 1): // a NaN is neither
		return invalid("Share", "%g is out of range [0, 1]", l.Share)
	case l.Count < 0:
		return invalid("Count", "%d is negative", l.Count)
	case l.Weight < 0:
		return invalid("Weight", "%d is negative", l.Weight)
	case set > 1:
		return invalid("Share", "only one of Share, Count and Weight may be set")
	case set == 0 && l.Then != "":
		return invalid("Then", "is %q, and one of Share, Count and Weight must say when", l.Then)
	case set == 0 && l.Hysteresis != 0:
		return invalid("Hysteresis", "is %g, and needs one of Share, Count and Weight", l.Hysteresis)
	case !(l.Hysteresis >= 0 && l.Hysteresis <= maxWeight):
		return invalid("Hysteresis", "%g is out of range [0, %d]", l.Hysteresis, maxWeight)
	case l.Share > 0 && l.Share+l.Hysteresis > 1+1e-9:
		return invalid("Hysteresis", "%g is more than the servers beyond the share %g", l.Hysteresis, l.Share)
	}
	if set == 1 {
		if err := l.Then.validate(); err != nil {
			return err
		}
	}
	return l.validateSorry(s)
}

func (a Action) validate() error {
	switch a {
	case KeepAll, SorryServer, Withdraw, Report:
		return nil
	case "":
		return invalid("Then", "must be set; want %q, %q, %q or %q", KeepAll, SorryServer, Withdraw, Report)
	}
	return invalid("Then", "%q is unknown; want %q, %q, %q or %q", a, KeepAll, SorryServer, Withdraw, Report)
}

// validateSorry refuses sorry servers that the service cannot have, or has already.
func (l Limit) validateSorry(s lvs.TableService) error {
	switch {
	case l.Then == SorryServer && len(l.Sorry) == 0:
		return invalid("Sorry", "must have a real server for %q", SorryServer)
	case l.Then != SorryServer && len(l.Sorry) > 0:
		return invalid("Sorry", "is only for %q", SorryServer)
	}
	seen := map[netip.AddrPort]bool{}
	for _, server := range s.RealServers {
		seen[server.Addr] = true
	}
	for i, server := range l.Sorry {
		field := indexed("Sorry", i)
		if err := server.Validate(s.ID); err != nil {
			return invalid(field, "%v", err)
		}
		if server.Weight == 0 {
			return invalid(field+".Weight", "is 0: it would get no connections")
		}
		if seen[server.Addr] {
			return invalid(field, "%s is a real server of the service already", server.Addr)
		}
		seen[server.Addr] = true
	}
	return nil
}

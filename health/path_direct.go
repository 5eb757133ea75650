package health

import "slices"

// isDirectOnly reports whether a probe cannot take the path through IPVS, and would say
// that this path works whatever is wrong with it: IPVS forwards no ICMP echo, a program
// and a file do not use the target's network, the mark of the path would lead to the real
// server instead of another address, and a probe has one mark and one source.
func isDirectOnly(p Probe) bool {
	direct, ok := p.(interface{ directOnly() bool })
	return ok && direct.directOnly()
}

func (Ping) directOnly() bool { return true }

func (Exec) directOnly() bool { return true }

func (File) directOnly() bool { return true }

func (At) directOnly() bool { return true }

func (a All) directOnly() bool { return slices.ContainsFunc(a, isDirectOnly) }

func (a Any) directOnly() bool { return slices.ContainsFunc(a, isDirectOnly) }

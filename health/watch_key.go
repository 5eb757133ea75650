package health

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net/netip"
	"slices"

	"github.com/golvs/lvs"
)

// watchKey is what checks have in common if one probe serves them all.
type watchKey struct {
	server  netip.AddrPort
	path    Path
	service lvs.ServiceID // the zero value if the check is shared by all services
	mode    lvs.Mode      // the zero value on the direct path, which is the same in all modes
	check   checkDigest
}

// checkDigest identifies a probe with its times. Probes can be long, such as one that
// expects a page, and there may be thousands of watches of each.
type checkDigest [sha256.Size]byte

// keyedCheck is a check with its defaults and what identifies it.
type keyedCheck struct {
	Check
	text   string      // the probe, in words
	probe  checkDigest // of the probe alone
	digest checkDigest
	alone  bool // it is shared with no other service
}

// keyed returns checks with what identifies them.
func keyed(field string, checks []Check) ([]keyedCheck, error) {
	all := make([]keyedCheck, len(checks))
	for i, c := range checks {
		c = c.complete()
		name, err := nameOf(c.Probe)
		if err != nil {
			return nil, invalid(indexed(field, i)+".Probe", "has no form in JSON, and is no *Func, so that it cannot be told from others: %v", err)
		}
		what := fmt.Sprintf("%T %s", c.Probe, name)
		times := fmt.Sprintf("%d %d %d %d %d", c.Interval, c.Failing, c.Timeout, c.Rise, c.Fall)
		probe, digest := sha256.Sum256([]byte(what)), sha256.Sum256([]byte(times+" "+what))
		all[i] = keyedCheck{Check: c, text: describe(c.Probe), probe: probe, digest: digest, alone: hasFunc(c.Probe)}
	}
	return all, nil
}

// nameOf returns what two probes of a type have in common if one can stand for the other.
func nameOf(p Probe) (string, error) {
	if named, ok := p.(interface{ identity() string }); ok {
		return named.identity(), nil
	}
	text, err := json.Marshal(p)
	return string(text), err
}

// hasFunc reports whether a probe is a [Func] or has one in it. It may look at the service
// that it is asked for.
func hasFunc(p Probe) bool {
	f, ok := p.(interface{ hasFunc() bool })
	return ok && f.hasFunc()
}

func (*Func) hasFunc() bool { return true }

func (a All) hasFunc() bool { return slices.ContainsFunc(a, hasFunc) }

func (a Any) hasFunc() bool { return slices.ContainsFunc(a, hasFunc) }

func (p At) hasFunc() bool { return hasFunc(p.Ask) }

func (p From) hasFunc() bool { return hasFunc(p.Ask) }

// keyOf returns the key of a check of a target.
func keyOf(c keyedCheck, t Target) watchKey {
	key := watchKey{server: t.Server, path: c.Path, check: c.digest}
	if c.Path != Direct {
		key.service, key.mode = t.Service, t.Mode
	}
	if c.alone {
		key.service = t.Service
	}
	return key
}

func (k watchKey) compare(other watchKey) int {
	return cmp.Or(
		k.server.Compare(other.server),
		cmp.Compare(k.path, other.path),
		k.service.Compare(other.service),
		cmp.Compare(k.mode.String(), other.mode.String()),
		bytes.Compare(k.check[:], other.check[:]),
	)
}

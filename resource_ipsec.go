package lvs

import (
	"fmt"
	"net/netip"

	"github.com/golvs/lvs/internal/netstate"
)

// IPsecAssociation is how packets from one host to another are encrypted: by ESP
// in transport mode with AES-256-CBC and HMAC-SHA-256. Both hosts have the same
// one. It takes no part in traffic without a [IPsecPolicy].
//
// Packets that are sent again by somebody who recorded them are taken: a host that
// starts again counts them from 1 again, and with a static key nobody could tell
// the difference (RFC 4303 asks for no protection then).
type IPsecAssociation struct {
	From netip.Addr `json:"from"` // outer address of the host that sends
	To   netip.Addr `json:"to"`   // and of the one that receives
	SPI  uint32     `json:"spi"`  // its number: 256 to 99999999, one for each at the receiver
	Key  IPsecKey   `json:"-"`    // in no saved plan: undoing takes none

	// Other is what was found: the number is taken, by something else.
	Other bool `json:"other,omitempty"`
}

func (a IPsecAssociation) String() string {
	return fmt.Sprintf("ip xfrm state add src %s dst %s proto esp spi %d reqid %d mode transport enc 'cbc(aes)' %s auth-trunc 'hmac(sha256)' %s 128 extra-flag oseq-may-wrap",
		a.From, a.To, a.SPI, a.SPI, a.Key, a.Key)
}

// Equal tells whether both are the same.
func (a IPsecAssociation) Equal(other IPsecAssociation) bool { return a == other }

func (a IPsecAssociation) key() string { return fmt.Sprintf("association %s %d", a.To, a.SPI) }

// validate lets the key be missing, as it is in a plan that was saved.
func (a IPsecAssociation) validate() *Error {
	if err := plainAddr("From", a.From); err != nil {
		return err
	}
	if err := plainAddr("To", a.To); err != nil {
		return err
	}
	if err := sameFamily("To", a.To, "From", a.From); err != nil {
		return err
	}
	if a.Other {
		return invalid("Other", "must not be set")
	}
	return checkSPI(a.SPI)
}

func (a IPsecAssociation) complete(found Resource) (Resource, *Error) {
	if found != nil && !a.matches(found) {
		return nil, &Error{kind: ErrExists, Field: "SPI", detail: "somebody uses the number for packets to this host, or it has another key", hint: "choose another, on both hosts"}
	}
	return a, nil
}

func (a IPsecAssociation) keyless() *Error {
	return invalid("Key", "is missing: keys are in no saved plan, so plan again with them")
}

// matches does not compare a key that is not known.
func (a IPsecAssociation) matches(now Resource) bool {
	n, ok := now.(IPsecAssociation)
	if a.Key == (IPsecKey{}) || n.Key == (IPsecKey{}) {
		n.Key = a.Key
	}
	return ok && n == a
}

func (a IPsecAssociation) toNetwork() netstate.Resource {
	return netstate.IPsecAssociation{From: a.From, To: a.To, SPI: a.SPI, Key: a.Key.secret, Other: a.Other}
}

func associationOf(a netstate.IPsecAssociation) IPsecAssociation {
	return IPsecAssociation{From: a.From, To: a.To, SPI: a.SPI, Key: IPsecKey{a.Key}, Other: a.Other}
}

// IPsecPolicy says that packets from one host to another must be encrypted, by
// the [IPsecAssociation] of the same SPI: those that leave without one are
// dropped, and so are those that come in clear text when it is for these. It is
// an IPsec policy of transport mode.
//
// It binds what the host itself sends by its routes. The tunnels of IPVS do not
// pass by it in IPv4, nor in IPv6 when it names a protocol: see [IPsecTunnel].
type IPsecPolicy struct {
	From     netip.Prefix `json:"from"`               // whose packets
	To       netip.Prefix `json:"to"`                 // and to whom
	Protocol uint8        `json:"protocol,omitempty"` // inside: 4 for IPv4, 41 for IPv6; 0 is any
	In       bool         `json:"in,omitempty"`       // for packets that come; without, for those that leave
	SPI      uint32       `json:"spi"`                // of the association that encrypts: 256 to 99999999

	// Other is what was found: the policy is there, and asks for something else.
	Other bool `json:"other,omitempty"`
}

func (p IPsecPolicy) String() string {
	return fmt.Sprintf("ip xfrm policy add src %s dst %s%s dir %s tmpl src %s dst %s proto esp reqid %d mode transport",
		p.From, p.To, optionText("proto", p.Protocol), p.direction(), p.From.Addr(), p.To.Addr(), p.SPI)
}

func (p IPsecPolicy) direction() string {
	if p.In {
		return "in"
	}
	return "out"
}

// Equal tells whether both are the same.
func (p IPsecPolicy) Equal(other IPsecPolicy) bool { return p == other }

func (p IPsecPolicy) key() string {
	return fmt.Sprintf("policy %s %s %s %d", p.direction(), p.From, p.To, p.Protocol)
}

func (p IPsecPolicy) validate() *Error {
	switch {
	case !p.From.IsValid() || p.From != p.From.Masked():
		return invalid("From", "needs a network, such as 10.168.0.90/32")
	case !p.To.IsValid() || p.To != p.To.Masked():
		return invalid("To", "needs a network, such as 10.168.0.94/32")
	}
	for _, a := range []struct {
		field string
		addr  netip.Addr
	}{{"From", p.From.Addr()}, {"To", p.To.Addr()}} {
		if err := plainAddr(a.field, a.addr); err != nil {
			return err
		}
	}
	switch {
	case p.From.Addr().Is6() != p.To.Addr().Is6():
		return invalid("To", "%s is not of the family of From, %s", p.To, p.From)
	case p.Other:
		return invalid("Other", "must not be set")
	}
	return checkSPI(p.SPI)
}

// checkSPI refuses numbers that are reserved, or too long for a device's name.
func checkSPI(spi uint32) *Error {
	if spi < 256 || spi > 99_999_999 {
		return invalid("SPI", "%d is not within 256 and 99999999", spi)
	}
	return nil
}

func (p IPsecPolicy) complete(found Resource) (Resource, *Error) {
	if found != nil && found != p {
		return nil, &Error{kind: ErrExists, Field: "From", detail: "there is another policy for these packets"}
	}
	return p, nil
}

func (p IPsecPolicy) matches(now Resource) bool    { return now == p }
func (p IPsecPolicy) toNetwork() netstate.Resource { return netstate.IPsecPolicy(p) }

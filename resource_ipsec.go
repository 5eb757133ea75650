package lvs

import (
	"fmt"
	"net/netip"

	"github.com/golvs/lvs/internal/netstate"
)

// IPsecAssociation is how packets from one host to another are encrypted: by ESP
// in transport mode with AES-256-CBC and HMAC-SHA-256. Both hosts have the same
// one. It has no effect without an [IPsecPolicy].
//
// There is no protection against replay: recorded packets that are sent again are
// accepted. A host that restarts counts packets from 1 again, which cannot be
// distinguished from a replay when the key is static; RFC 4303 requires no protection
// then.
type IPsecAssociation struct {
	From netip.Addr `json:"from"` // outer address of the host that sends
	To   netip.Addr `json:"to"`   // and of the one that receives
	SPI  uint32     `json:"spi"`  // its number, 256 to 99999999, unique at the receiver
	Key  IPsecKey   `json:"-"`    // not in a saved plan: undoing needs none
}

// String returns the command of ip(8) that makes the association, without its key.
func (a IPsecAssociation) String() string {
	return fmt.Sprintf("ip xfrm state add src %s dst %s proto esp spi %d reqid %d mode transport enc 'cbc(aes)' %s auth-trunc 'hmac(sha256)' %s 128 extra-flag oseq-may-wrap",
		a.From, a.To, a.SPI, a.SPI, a.Key, a.Key)
}

// Equal reports whether both are the same.
func (a IPsecAssociation) Equal(other IPsecAssociation) bool { return a == other }

func (a IPsecAssociation) key() string { return fmt.Sprintf("association %s %d", a.To, a.SPI) }

// validate accepts a missing key, as a saved plan has it.
func (a IPsecAssociation) validate() *Error {
	if err := validateAddr("From", a.From); err != nil {
		return err
	}
	if err := validateAddr("To", a.To); err != nil {
		return err
	}
	if err := validateFamily("To", a.To, "From", a.From); err != nil {
		return err
	}
	return validateSPI("SPI", a.SPI)
}

func (a IPsecAssociation) complete(found Resource) (Resource, *Error) {
	if found != nil && !a.matches(found) {
		return nil, &Error{kind: ErrExists, Field: "SPI", detail: "the number is in use for packets to this host, or has another key", hint: "choose another, on both hosts"}
	}
	return a, nil
}

func (a IPsecAssociation) keyless() *Error {
	return invalid("Key", "is missing: a saved plan contains no keys, so plan again with them")
}

// matches ignores a key that is not known.
func (a IPsecAssociation) matches(now Resource) bool {
	n, ok := now.(IPsecAssociation)
	if a.Key == (IPsecKey{}) || n.Key == (IPsecKey{}) {
		n.Key = a.Key
	}
	return ok && n == a
}

func (a IPsecAssociation) toNetwork() netstate.Resource {
	return netstate.IPsecAssociation{From: a.From, To: a.To, SPI: a.SPI, Key: a.Key.secret}
}

func associationFrom(n netstate.IPsecAssociation) Resource {
	return seenResource(IPsecAssociation{From: n.From, To: n.To, SPI: n.SPI, Key: IPsecKey{n.Key}}, n.Other)
}

// IPsecPolicy requires packets from one host to another to be encrypted by the
// [IPsecAssociation] of the same SPI. A policy for outgoing packets drops those that
// have no association, and one for incoming packets drops those that arrive in clear
// text. It is an IPsec policy of transport mode.
//
// It applies to what the host itself sends by its routes. The tunnels of IPVS bypass
// it in IPv4, and in IPv6 if it names a protocol: see [IPsecTunnel].
type IPsecPolicy struct {
	From     netip.Prefix `json:"from"`               // source of the packets
	To       netip.Prefix `json:"to"`                 // destination of the packets
	Protocol uint8        `json:"protocol,omitempty"` // of the payload: 4 for IPv4, 41 for IPv6; 0 is any
	In       bool         `json:"in,omitempty"`       // for incoming packets rather than outgoing ones
	SPI      uint32       `json:"spi"`                // of the association that encrypts, 256 to 99999999
}

// String returns the command of ip(8) that makes the policy.
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

// Equal reports whether both are the same.
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
		if err := validateAddr(a.field, a.addr); err != nil {
			return err
		}
	}
	if p.From.Addr().Is6() != p.To.Addr().Is6() {
		return invalid("To", "%s is not of the family of From, %s", p.To, p.From)
	}
	return validateSPI("SPI", p.SPI)
}

// validateSPI returns an error for a number that is reserved, or too long for the name
// of a device.
func validateSPI(field string, spi uint32) *Error {
	if spi < 256 || spi > 99_999_999 {
		return invalid(field, "%d is out of range [256, 99999999]", spi)
	}
	return nil
}

func (p IPsecPolicy) complete(found Resource) (Resource, *Error) {
	if found != nil && found != p {
		return nil, &Error{kind: ErrExists, Field: "From", detail: "another policy for these packets exists"}
	}
	return p, nil
}

func (p IPsecPolicy) matches(now Resource) bool { return now == p }

func (p IPsecPolicy) toNetwork() netstate.Resource {
	return netstate.IPsecPolicy{From: p.From, To: p.To, Protocol: p.Protocol, In: p.In, SPI: p.SPI}
}

func policyFrom(n netstate.IPsecPolicy) Resource {
	return seenResource(IPsecPolicy{From: n.From, To: n.To, Protocol: n.Protocol, In: n.In, SPI: n.SPI}, n.Other)
}

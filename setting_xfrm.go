package lvs

import (
	"fmt"
	"net/netip"

	"github.com/golvs/lvs/internal/hostnet"
)

// SecurityPolicy says that packets from one host to another must be encrypted, by
// the [SecurityAssociation] of the same SPI: those that leave without one are
// dropped, and so are those that come in clear text when it is for these. It is
// an IPsec policy of transport mode.
//
// It binds what the host itself sends by its routes. The tunnels of IPVS do not
// pass by it in IPv4, nor in IPv6 when it names a protocol: see [EncryptedTunnel].
type SecurityPolicy struct {
	From     netip.Prefix `json:"from"`
	To       netip.Prefix `json:"to"`
	Protocol uint8        `json:"protocol,omitempty"` // inside: 4 for IPv4, 41 for IPv6; 0 is any
	In       bool         `json:"in,omitempty"`       // for packets that come; without, for those that leave
	SPI      uint32       `json:"spi"`

	// Other is what was found: the policy is there, and asks for something else.
	Other bool `json:"other,omitempty"`
}

func (p SecurityPolicy) String() string {
	return fmt.Sprintf("ip xfrm policy add src %s dst %s%s dir %s tmpl src %s dst %s proto esp reqid %d mode transport",
		p.From, p.To, with("proto", p.Protocol), p.direction(), p.From.Addr(), p.To.Addr(), p.SPI)
}

func (p SecurityPolicy) direction() string {
	if p.In {
		return "in"
	}
	return "out"
}

// Equal tells whether both are the same.
func (p SecurityPolicy) Equal(other SecurityPolicy) bool { return p == other }

func (p SecurityPolicy) key() string {
	return fmt.Sprintf("policy %s %s %s %d", p.direction(), p.From, p.To, p.Protocol)
}

func (p SecurityPolicy) validate() *Error {
	switch {
	case !p.From.IsValid() || p.From != p.From.Masked():
		return invalid("From", "needs a network, such as 10.168.0.90/32")
	case !p.To.IsValid() || p.To != p.To.Masked():
		return invalid("To", "needs a network, such as 10.168.0.94/32")
	case p.From.Addr().Is6() != p.To.Addr().Is6():
		return invalid("To", "%s is not of the family of From, %s", p.To, p.From)
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

func (p SecurityPolicy) complete(found Fact) (Fact, *Error) {
	if found != nil && found != p {
		return nil, &Error{kind: ErrExists, Field: "From", detail: "there is another policy for these packets"}
	}
	return p, nil
}

func (p SecurityPolicy) matches(now Fact) bool   { return now == p }
func (p SecurityPolicy) toNetwork() hostnet.Fact { return hostnet.SecurityPolicy(p) }

// SecurityAssociation is how packets from one host to another are encrypted: by ESP
// in transport mode with AES-256-CBC and HMAC-SHA-256. Both hosts have the same
// one. It takes no part in traffic without a [SecurityPolicy].
//
// Packets that are sent again by somebody who recorded them are taken: a host that
// starts again counts them from 1 again, and with a static key nobody could tell
// the difference (RFC 4303 asks for no protection then).
type SecurityAssociation struct {
	From netip.Addr `json:"from"`
	To   netip.Addr `json:"to"`
	SPI  uint32     `json:"spi"` // its number: 256 to 99999999, one for each at the receiver
	Key  Key        `json:"-"`   // in no saved plan: undoing takes none

	// Other is what was found: the number is taken, by something else.
	Other bool `json:"other,omitempty"`
}

func (a SecurityAssociation) String() string {
	return fmt.Sprintf("ip xfrm state add src %s dst %s proto esp spi %d reqid %d mode transport enc 'cbc(aes)' %s auth-trunc 'hmac(sha256)' %s 128 extra-flag oseq-may-wrap",
		a.From, a.To, a.SPI, a.SPI, a.Key, a.Key)
}

// Equal tells whether both are the same.
func (a SecurityAssociation) Equal(other SecurityAssociation) bool { return a == other }

func (a SecurityAssociation) key() string { return fmt.Sprintf("association %s %d", a.To, a.SPI) }

// validate lets the key be missing, as it is in a plan that was saved.
func (a SecurityAssociation) validate() *Error {
	if err := plainAddr("From", a.From); err != nil {
		return err
	}
	if err := plainAddr("To", a.To); err != nil {
		return err
	}
	if err := sameFamily("To", a.To, "From", a.From); err != nil {
		return err
	}
	return checkSPI(a.SPI)
}

func (a SecurityAssociation) complete(found Fact) (Fact, *Error) {
	switch {
	case a.Key == Key{}:
		return nil, a.keyless()
	case found != nil && !a.matches(found):
		return nil, &Error{kind: ErrExists, Field: "SPI", detail: "somebody uses the number for packets to this host, or it has another key", hint: "choose another, on both hosts"}
	}
	return a, nil
}

func (a SecurityAssociation) keyless() *Error {
	return invalid("Key", "is missing: keys are in no saved plan, so plan again with them")
}

// matches does not compare a key that is not known.
func (a SecurityAssociation) matches(now Fact) bool {
	n, ok := now.(SecurityAssociation)
	if a.Key == (Key{}) || n.Key == (Key{}) {
		n.Key = a.Key
	}
	return ok && n == a
}

func (a SecurityAssociation) toNetwork() hostnet.Fact {
	return hostnet.SecurityAssociation{From: a.From, To: a.To, SPI: a.SPI, Key: a.Key.secret, Other: a.Other}
}

func associationOf(a hostnet.SecurityAssociation) SecurityAssociation {
	return SecurityAssociation{From: a.From, To: a.To, SPI: a.SPI, Key: Key{a.Key}, Other: a.Other}
}

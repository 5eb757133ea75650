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
	From     netip.Prefix `json:"from"`               // whose packets
	To       netip.Prefix `json:"to"`                 // and to whom
	Protocol uint8        `json:"protocol,omitempty"` // inside: 4 for IPv4, 41 for IPv6; 0 is any
	In       bool         `json:"in,omitempty"`       // for packets that come; without, for those that leave
	SPI      uint32       `json:"spi"`                // of the association that encrypts: 256 to 99999999

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

func (p SecurityPolicy) complete(found Fact) (Fact, *Error) {
	if found != nil && found != p {
		return nil, &Error{kind: ErrExists, Field: "From", detail: "there is another policy for these packets"}
	}
	return p, nil
}

func (p SecurityPolicy) matches(now Fact) bool   { return now == p }
func (p SecurityPolicy) toNetwork() hostnet.Fact { return hostnet.SecurityPolicy(p) }

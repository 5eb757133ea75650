package lvs

import (
	"fmt"
	"net/netip"

	"github.com/golvs/lvs/internal/hostnet"
)

// SecurityAssociation is how packets from one host to another are encrypted: by ESP
// in transport mode with AES-256-CBC and HMAC-SHA-256. Both hosts have the same
// one. It takes no part in traffic without a [SecurityPolicy].
//
// Packets that are sent again by somebody who recorded them are taken: a host that
// starts again counts them from 1 again, and with a static key nobody could tell
// the difference (RFC 4303 asks for no protection then).
type SecurityAssociation struct {
	From netip.Addr `json:"from"` // outer address of the host that sends
	To   netip.Addr `json:"to"`   // and of the one that receives
	SPI  uint32     `json:"spi"`  // its number: 256 to 99999999, one for each at the receiver
	Key  Key        `json:"-"`    // in no saved plan: undoing takes none

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
	if a.Other {
		return invalid("Other", "must not be set")
	}
	return checkSPI(a.SPI)
}

func (a SecurityAssociation) complete(found Fact) (Fact, *Error) {
	if found != nil && !a.matches(found) {
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

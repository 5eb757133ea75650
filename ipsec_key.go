package lvs

import (
	"fmt"

	"github.com/golvs/lvs/internal/netstate"
)

// IPsecKeySize is the length of a [IPsecKey] in bytes: 32 for AES-256 and 32 for
// HMAC-SHA-256.
const IPsecKeySize = netstate.SecretSize

const redacted = "<redacted>"

// IPsecKey is the secret of an [IPsecTunnel]. However it is printed or marshalled,
// it reads "<redacted>". Keys are comparable; the zero IPsecKey is none.
type IPsecKey struct{ secret netstate.Secret }

// NewIPsecKey returns a key of [IPsecKeySize] bytes, which should come from
// crypto/rand. The error matches [ErrInvalid] for another length, and for zeros only.
func NewIPsecKey(secret []byte) (IPsecKey, error) {
	if len(secret) != IPsecKeySize {
		return IPsecKey{}, invalid("Key", "has %d bytes: want %d, from crypto/rand", len(secret), IPsecKeySize).about(OpNewIPsecKey, "")
	}
	k := IPsecKey{netstate.NewSecret([IPsecKeySize]byte(secret))}
	if k == (IPsecKey{}) {
		return k, invalid("Key", "consists of zeros").about(OpNewIPsecKey, "")
	}
	return k, nil
}

// Equal reports whether both are the same.
func (k IPsecKey) Equal(other IPsecKey) bool { return k == other }

// String returns "<redacted>".
func (k IPsecKey) String() string { return redacted }

// Format writes "<redacted>", whatever the verb.
func (k IPsecKey) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(redacted)) }

// MarshalText returns "<redacted>".
func (k IPsecKey) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// UnmarshalText reads what MarshalText writes as the zero IPsecKey. It refuses any
// other text: keys come only from [NewIPsecKey].
func (k *IPsecKey) UnmarshalText(text []byte) error {
	if string(text) != redacted {
		return invalid("Key", "cannot be read from text: use NewIPsecKey").about(OpParse, "key")
	}
	*k = IPsecKey{}
	return nil
}

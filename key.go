package lvs

import (
	"fmt"

	"github.com/golvs/lvs/internal/hostnet"
)

// KeySize is the length of a [Key] in bytes: 32 for AES-256 and 32 for
// HMAC-SHA-256.
const KeySize = hostnet.SecretSize

const redacted = "<redacted>"

// Key is the secret of an [EncryptedTunnel]. However it is printed or marshalled,
// it reads "<redacted>". Keys are comparable; the zero Key is none.
type Key struct{ secret hostnet.Secret }

// NewKey returns a key of [KeySize] bytes, which should come from crypto/rand. The
// error is of the kind [ErrInvalid]: another length, or nothing but zeros.
func NewKey(secret []byte) (Key, error) {
	if len(secret) != KeySize {
		return Key{}, invalid("Key", "has %d bytes: want %d, from crypto/rand", len(secret), KeySize).about("make", "key")
	}
	k := Key{hostnet.NewSecret([KeySize]byte(secret))}
	if k == (Key{}) {
		return k, invalid("Key", "is nothing but zeros").about("make", "key")
	}
	return k, nil
}

// Equal tells whether both are the same.
func (k Key) Equal(other Key) bool { return k == other }

// String returns "<redacted>".
func (k Key) String() string { return redacted }

// Format writes "<redacted>", whatever the verb.
func (k Key) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(redacted)) }

// MarshalText returns "<redacted>".
func (k Key) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// UnmarshalText reads what MarshalText writes, and makes it the zero Key. Any
// other text is refused: keys come from [NewKey] alone.
func (k *Key) UnmarshalText(text []byte) error {
	if string(text) != redacted {
		return invalid("Key", "is not read from text: use NewKey").about("parse", "key")
	}
	*k = Key{}
	return nil
}

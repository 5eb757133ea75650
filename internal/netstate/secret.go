package netstate

import "unique"

// SecretSize is the length of a secret in bytes.
const SecretSize = 64

// Secret are the keys of an association, one behind the other. It is comparable,
// and a handle of a handle: even what prints fields without asking follows no more
// than one of them, and shows an address.
type Secret struct {
	handle unique.Handle[unique.Handle[[SecretSize]byte]]
}

// NewSecret returns a secret; of zeros it is the zero Secret, which is none.
func NewSecret(s [SecretSize]byte) Secret {
	if s == ([SecretSize]byte{}) {
		return Secret{}
	}
	return Secret{unique.Make(unique.Make(s))}
}

// Bytes returns the keys, zeros for the zero Secret.
func (s Secret) Bytes() (all [SecretSize]byte) {
	if s == (Secret{}) {
		return all
	}
	return s.handle.Value().Value()
}

package lvs

import (
	"errors"
	"io/fs"
	"syscall"

	"github.com/golvs/lvs/internal/hostnet"
)

// fileError gives the error of a file its kind.
func fileError(op, object string, err error) error {
	if err == nil {
		return nil
	}
	return explainHost(err).about(op, object)
}

// settingError gives the error of a setting its kind, and says what to do.
func settingError(op string, f Fact, err error) error {
	var done *Error
	if err == nil || errors.As(err, &done) {
		return err
	}
	object := "interfaces"
	if f != nil {
		object = f.String()
	}
	e := explainHost(err).about(op, object)
	if isWithoutIPv6(f, err) {
		e.kind, e.hint = errors.ErrUnsupported, "IPv6 is switched off there: set net.ipv6.conf.*.disable_ipv6 of the interface to 0"
	}
	return e
}

// isWithoutIPv6 reports whether it is IPv6 that an address or a route lacks. The kernel
// answers that with EACCES.
func isWithoutIPv6(f Fact, err error) bool {
	switch f.(type) {
	case Address, Route:
		return errors.Is(err, syscall.EACCES)
	}
	return false
}

// hostErrors are the kinds of what a namespace answers besides its table. The first
// one that matches counts.
var hostErrors = []struct {
	is   []error
	kind error
	hint string
}{
	{[]error{syscall.EROFS}, ErrPermission, "/proc/sys is mounted read-only, as in a container: make the setting on the host, or mount it for writing"},
	{[]error{fs.ErrPermission}, ErrPermission, "it takes CAP_NET_ADMIN in the network namespace"},
	{[]error{hostnet.ErrNoModule}, ErrUnavailable, ""},
	{[]error{hostnet.ErrNoIPsec}, errors.ErrUnsupported, "load the modules xfrm_user, esp4 and esp6, or use a kernel that has CONFIG_XFRM_USER"},
	{[]error{hostnet.ErrNoNAT}, errors.ErrUnsupported, "load the modules nf_tables and nft_chain_nat, or use a kernel that has CONFIG_NF_TABLES_IPV4 and NFT_MASQ"},
	{[]error{hostnet.ErrNoInterface, fs.ErrNotExist, syscall.ENODEV, syscall.ESRCH}, ErrNotFound, ""},
	{[]error{fs.ErrExist}, ErrExists, "somebody made it meanwhile: plan again"},
	{[]error{syscall.ENETUNREACH, syscall.EHOSTUNREACH}, ErrInvalid, "the next hop (Via) is in no network of this host"},
	{[]error{syscall.EINVAL, syscall.EADDRNOTAVAIL, syscall.ERANGE}, ErrInvalid, ""},
	{[]error{errors.ErrUnsupported}, errors.ErrUnsupported, ""},
}

func explainHost(err error) *Error {
	if errors.Is(err, ErrClosed) {
		return &Error{kind: ErrClosed, detail: "the host is closed"}
	}
	e := &Error{cause: err}
	for _, known := range hostErrors {
		for _, target := range known.is {
			if errors.Is(err, target) {
				e.kind, e.hint = known.kind, known.hint
				return e
			}
		}
	}
	return e
}

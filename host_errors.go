package lvs

import (
	"errors"
	"io/fs"
	"syscall"

	"github.com/golvs/lvs/internal/netstate"
)

// fileError returns the error of a file with its kind.
func fileError(op Op, object string, err error) error {
	if err == nil {
		return nil
	}
	return explainHost(err).about(op, object)
}

// resourceError returns the error of a resource with its kind and what to do.
func resourceError(op Op, f Resource, err error) error {
	var done *Error
	if err == nil || errors.As(err, &done) {
		return err
	}
	e, object := explainHost(err), "interfaces"
	if f != nil {
		object = f.String()
	}
	switch {
	case isIPv6(f) && errors.Is(err, syscall.EACCES):
		e.kind, e.hint = errors.ErrUnsupported, "IPv6 is disabled on the interface: see the parameters net.ipv6.conf.*.disable_ipv6"
	case isIPv6(f) && e.kind == errors.ErrUnsupported:
		e.hint = "this kernel has no IPv6, or was booted with it disabled"
	}
	if _, ok := f.(IPsecAssociation); ok && errors.Is(err, syscall.ENOSYS) {
		e.kind, e.hint = errors.ErrUnsupported, "the kernel lacks ESP's algorithms: load the modules aes, cbc, hmac and sha256, or use a kernel that has CONFIG_CRYPTO_CBC, CRYPTO_AES, CRYPTO_HMAC and CRYPTO_SHA256"
	}
	return e.about(op, object)
}

// isIPv6 reports whether a resource needs IPv6 on an interface.
func isIPv6(f Resource) bool {
	switch f := f.(type) {
	case Address:
		return f.Prefix.Addr().Is6()
	case Route:
		return f.To.Addr().Is6()
	case Rule:
		return f.IPv6
	}
	return false
}

// hostErrors are the kinds of errors of files and of the network. The first one
// that matches counts.
var hostErrors = []knownError{
	{[]error{syscall.EROFS}, ErrPermission, "/proc/sys is mounted read-only, as in a container: set the parameter on the host, or mount it writable"},
	{[]error{errOneWay}, ErrInvalid, "it cannot be set back, so it cannot be part of a setup"},
	{[]error{fs.ErrPermission}, ErrPermission, "this needs CAP_NET_ADMIN in the network namespace"},
	{[]error{netstate.ErrNoModule}, ErrUnavailable, ""},
	{[]error{netstate.ErrNoIPsec}, errors.ErrUnsupported, "load the modules xfrm_user, esp4 and esp6, or use a kernel that has CONFIG_XFRM_USER"},
	{[]error{netstate.ErrNoNFTables}, errors.ErrUnsupported, "load the modules nf_tables, nft_chain_nat and nft_ct, or use a kernel that has CONFIG_NF_TABLES_IPV4, NFT_MASQ and NFT_CT"},
	{[]error{syscall.EISDIR}, ErrInvalid, "it is a directory of parameters: name one of them"},
	{[]error{netstate.ErrNoInterface, fs.ErrNotExist, syscall.ENODEV, syscall.ESRCH}, ErrNotFound, ""},
	{[]error{syscall.EADDRINUSE}, ErrExists, "something else uses the port: see 'ss -lun' and 'ip fou show'"},
	{[]error{fs.ErrExist}, ErrExists, "something that conflicts with it was added, perhaps under another name: plan again"},
	{[]error{syscall.ENETUNREACH, syscall.EHOSTUNREACH}, ErrInvalid, "the next hop (Via) is not in a network of this host"},
	{[]error{syscall.ENETDOWN}, ErrInvalid, "the interface is down"},
	{[]error{syscall.EINVAL, syscall.EADDRNOTAVAIL, syscall.ERANGE, syscall.EIO}, ErrInvalid, ""},
	{[]error{syscall.EBUSY}, ErrBusy, "it is in use, or is being changed: try again"},
	{[]error{syscall.ENOMEM, syscall.ENOBUFS, syscall.ENOSPC}, ErrBusy, "the kernel has no room for it"},
	{[]error{syscall.EMFILE, syscall.ENFILE}, ErrBusy, hintFiles},
	{[]error{syscall.EAGAIN, syscall.EINTR}, ErrBusy, "try again"},
	{[]error{errors.ErrUnsupported, syscall.EAFNOSUPPORT, syscall.EPROTONOSUPPORT}, errors.ErrUnsupported, "this kernel does not have it"},
}

// errOneWay is the error of a parameter that can only be read, or only written.
var errOneWay = errors.New("is read-only or write-only")

// explainHost returns the error with its kind and what to do.
func explainHost(err error) *Error {
	if errors.Is(err, ErrClosed) {
		return &Error{kind: ErrClosed, detail: "the host is closed"}
	}
	e := &Error{cause: err}
	e.classify(hostErrors)
	return e
}

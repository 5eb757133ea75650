package lvs

import (
	"fmt"
	"runtime"
	"strings"
	"syscall"
)

// Errno is an error number of the Linux kernel. On every system it has the numbers
// of most of Linux's architectures, so a program that handles or simulates errors
// compiles and behaves the same everywhere. It matches, with [errors.Is], the
// [syscall.Errno] of the same name. An errno alone does not say what went wrong:
// IPVS returns ENOENT for three different reasons. See the kinds of error.
type Errno int

// The errnos that IPVS and the network return, for [Error.Errno], [SimFault.Errno]
// and [SimHostFault.Errno].
const (
	EPERM           Errno = 1
	ENOENT          Errno = 2
	ESRCH           Errno = 3
	EINTR           Errno = 4
	EIO             Errno = 5
	EAGAIN          Errno = 11
	ENOMEM          Errno = 12
	EACCES          Errno = 13
	EBUSY           Errno = 16
	EEXIST          Errno = 17
	ENODEV          Errno = 19
	EISDIR          Errno = 21
	EINVAL          Errno = 22
	ENFILE          Errno = 23
	EMFILE          Errno = 24
	ENOSPC          Errno = 28
	EROFS           Errno = 30
	ERANGE          Errno = 34
	ENOSYS          Errno = 38
	EOVERFLOW       Errno = 75
	EMSGSIZE        Errno = 90
	ENOPROTOOPT     Errno = 92
	EPROTONOSUPPORT Errno = 93
	EOPNOTSUPP      Errno = 95
	EAFNOSUPPORT    Errno = 97
	EADDRINUSE      Errno = 98
	EADDRNOTAVAIL   Errno = 99
	ENETDOWN        Errno = 100
	ENETUNREACH     Errno = 101
	ENOBUFS         Errno = 105
	EHOSTUNREACH    Errno = 113
)

// systemErrnos has the errnos of package syscall, whose numbers depend on the
// system and the architecture.
var systemErrnos = map[syscall.Errno]Errno{
	syscall.EPERM: EPERM, syscall.ENOENT: ENOENT, syscall.ESRCH: ESRCH, syscall.EINTR: EINTR,
	syscall.EIO: EIO, syscall.EAGAIN: EAGAIN, syscall.ENOMEM: ENOMEM, syscall.EACCES: EACCES,
	syscall.EBUSY: EBUSY, syscall.EEXIST: EEXIST, syscall.ENODEV: ENODEV, syscall.EISDIR: EISDIR,
	syscall.EINVAL: EINVAL, syscall.ENFILE: ENFILE, syscall.EMFILE: EMFILE, syscall.ENOSPC: ENOSPC,
	syscall.EROFS: EROFS, syscall.ERANGE: ERANGE, syscall.ENOSYS: ENOSYS, syscall.EOVERFLOW: EOVERFLOW, syscall.EMSGSIZE: EMSGSIZE,
	syscall.ENOPROTOOPT: ENOPROTOOPT, syscall.EPROTONOSUPPORT: EPROTONOSUPPORT,
	syscall.EOPNOTSUPP: EOPNOTSUPP, syscall.EAFNOSUPPORT: EAFNOSUPPORT, syscall.EADDRINUSE: EADDRINUSE,
	syscall.EADDRNOTAVAIL: EADDRNOTAVAIL, syscall.ENETDOWN: ENETDOWN, syscall.ENETUNREACH: ENETUNREACH,
	syscall.ENOBUFS: ENOBUFS, syscall.EHOSTUNREACH: EHOSTUNREACH,
}

// errnoOf returns the errno of a system's, or 0 for one that Linux does not have.
func errnoOf(s syscall.Errno) Errno {
	if e, ok := systemErrnos[s]; ok || runtime.GOOS != "linux" {
		return e
	}
	return Errno(s)
}

// system returns the system's errno of the same name.
func (e Errno) system() syscall.Errno {
	for s, own := range systemErrnos {
		if own == e {
			return s
		}
	}
	return syscall.Errno(e)
}

// Is reports whether the target is the [syscall.Errno] of the same name.
func (e Errno) Is(target error) bool {
	s, ok := target.(syscall.Errno)
	return ok && e != 0 && errnoOf(s) == e
}

// errnoNames has the names of 1, 2 and so on; "-" is a number that is not used.
const errnoNames = `
	EPERM ENOENT ESRCH EINTR EIO ENXIO E2BIG ENOEXEC EBADF ECHILD
	EAGAIN ENOMEM EACCES EFAULT ENOTBLK EBUSY EEXIST EXDEV ENODEV ENOTDIR
	EISDIR EINVAL ENFILE EMFILE ENOTTY ETXTBSY EFBIG ENOSPC ESPIPE EROFS
	EMLINK EPIPE EDOM ERANGE EDEADLK ENAMETOOLONG ENOLCK ENOSYS ENOTEMPTY ELOOP
	- ENOMSG EIDRM ECHRNG EL2NSYNC EL3HLT EL3RST ELNRNG EUNATCH ENOCSI
	EL2HLT EBADE EBADR EXFULL ENOANO EBADRQC EBADSLT - EBFONT ENOSTR
	ENODATA ETIME ENOSR ENONET ENOPKG EREMOTE ENOLINK EADV ESRMNT ECOMM
	EPROTO EMULTIHOP EDOTDOT EBADMSG EOVERFLOW ENOTUNIQ EBADFD EREMCHG ELIBACC ELIBBAD
	ELIBSCN ELIBMAX ELIBEXEC EILSEQ ERESTART ESTRPIPE EUSERS ENOTSOCK EDESTADDRREQ EMSGSIZE
	EPROTOTYPE ENOPROTOOPT EPROTONOSUPPORT ESOCKTNOSUPPORT EOPNOTSUPP EPFNOSUPPORT EAFNOSUPPORT EADDRINUSE EADDRNOTAVAIL ENETDOWN
	ENETUNREACH ENETRESET ECONNABORTED ECONNRESET ENOBUFS EISCONN ENOTCONN ESHUTDOWN ETOOMANYREFS ETIMEDOUT
	ECONNREFUSED EHOSTDOWN EHOSTUNREACH EALREADY EINPROGRESS ESTALE EUCLEAN ENOTNAM ENAVAIL EISNAM
	EREMOTEIO EDQUOT ENOMEDIUM EMEDIUMTYPE ECANCELED ENOKEY EKEYEXPIRED EKEYREVOKED EKEYREJECTED EOWNERDEAD
	ENOTRECOVERABLE ERFKILL EHWPOISON`

// Error returns the name, such as "ESRCH", or "errno 41" for a number without one.
func (e Errno) Error() string {
	names := strings.Fields(errnoNames)
	if e < 1 || int(e) > len(names) || names[e-1] == "-" {
		return fmt.Sprintf("errno %d", int(e))
	}
	return names[e-1]
}

package simipvs

// errno is Linux's number of an error; zero is success.
type errno int

const (
	eperm        errno = 1
	enoent       errno = 2
	esrch        errno = 3
	eintr        errno = 4 // from a request: netlink says nothing about it
	ebusy        errno = 16
	eexist       errno = 17
	enodev       errno = 19
	einval       errno = 22
	erange       errno = 34
	eopnotsupp   errno = 95
	eafnosupport errno = 97
	enetunreach  errno = 101
)

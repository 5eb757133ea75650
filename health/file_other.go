//go:build !unix

package health

// nonblocking is nothing: pipes are not files here.
const nonblocking = 0

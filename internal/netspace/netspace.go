// Package netspace makes network namespaces, and runs functions in them. No other
// package enters a namespace.
package netspace

import "errors"

// ErrNotNamespace means that a file is not a network namespace, or no longer one.
var ErrNotNamespace = errors.New("not a network namespace")

package lvs

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/golvs/lvs/internal/genl"
	"github.com/golvs/lvs/internal/netspace"
)

// openNamespace opens the namespace of the options.
func (o *options) openNamespace() (ns *netspace.Namespace, err error) {
	switch {
	case o.given == "":
		ns, err = netspace.Here()
	case o.given == "InNamespaceFile":
		ns, err = netspace.Of(o.file)
	case strings.Contains(o.name, "/"):
		ns, err = netspace.Open(o.name)
	default:
		ns, err = netspace.Open(filepath.Join("/run/netns", o.name))
	}
	if err != nil {
		return nil, fmt.Errorf("network namespace: %w", err)
	}
	return ns, nil
}

// dialer returns a dialer in the namespace of the options, which stays open until
// release is called.
func (o *options) dialer() (dial genl.Dialer, release func() error, err error) {
	ns, err := o.openNamespace()
	if o.given == "" && errors.Is(err, os.ErrNotExist) {
		// Without /proc, or in a kernel without namespaces: there is only one.
		return genl.Dial, func() error { return nil }, nil
	}
	if err != nil {
		return nil, nil, err
	}
	return dialerIn(ns), ns.Close, nil
}

func dialerIn(ns *netspace.Namespace) genl.Dialer {
	return func() (s genl.Socket, err error) {
		err = ns.Do(func() error {
			s, err = genl.Dial()
			return err
		})
		return s, err
	}
}

//go:build !linux

package lvs

import "github.com/golvs/lvs/internal/genl"

func (o *options) namespaceSeams() (files, network, func() error, error) {
	return nil, nil, nil, genl.ErrNoFamily
}

//go:build !linux

package lvs

import (
	"github.com/golvs/lvs/internal/genl"
)

func (o *options) openKernel() (*guard, genl.Dialer, error) { return nil, nil, genl.ErrNoFamily }

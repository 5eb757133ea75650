//go:build !linux

package lvs

import (
	"github.com/golvs/lvs/internal/genl"
)

func (o *options) openKernel() (*guard, error) { return nil, genl.ErrNoFamily }

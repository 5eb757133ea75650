//go:build !linux

package lvs

import (
	"os"

	"github.com/golvs/lvs/internal/genl"
)

func (o *options) openKernel() (*guard, error) { return nil, genl.ErrNoFamily }

func reopen(uintptr) (*os.File, error) { return nil, genl.ErrNoFamily }

//go:build !linux

package lvs

import (
	"os"

	"github.com/golvs/lvs/internal/genl"
)

func reopen(uintptr) (*os.File, error) { return nil, genl.ErrNoFamily }

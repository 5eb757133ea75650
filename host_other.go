//go:build !linux

package lvs

import "github.com/golvs/lvs/internal/genl"

func (o *options) files() (files, func() error, error) { return nil, nil, genl.ErrNoFamily }

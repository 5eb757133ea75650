//go:build !linux

package lvs

import "github.com/golvs/lvs/internal/genl"

func (o *options) dialer() (genl.Dialer, func() error, error) {
	_, err := genl.Dial()
	return nil, nil, err
}

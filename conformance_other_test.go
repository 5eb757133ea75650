//go:build !linux

package lvs

import (
	"testing"

	"github.com/golvs/lvs/internal/testbed"
)

func kernelAvailable(t testing.TB) { testbed.InKernel(t) }

func openKernelGround(testing.TB) ground { return nil } // never called

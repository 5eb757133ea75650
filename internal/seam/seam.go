// Package seam opens package lvs where it meets a kernel. Tests in other packages
// use it to put a socket or a simulated kernel of their choice underneath; package
// lvs sets its variables.
package seam

import (
	"context"

	"github.com/golvs/lvs/internal/genl"
	"github.com/golvs/lvs/internal/simipvs"
)

var (
	// Client returns the *lvs.Client whose sockets dial opens.
	Client func(ctx context.Context, dial genl.Dialer) (client any, err error)

	// Simulator returns the *lvs.Simulator of a simulated kernel.
	Simulator func(*simipvs.Kernel) (simulator any)

	// Kernel returns the simulated kernel of a *lvs.Simulator.
	Kernel func(simulator any) *simipvs.Kernel
)

package main

import (
	"testing"

	"github.com/golvs/lvs/examples/internal/role/roletest"
)

func TestInKernel(t *testing.T) {
	_, host := roletest.InKernel(t)
	roletest.Cycle(t, program(), host)
	roletest.Cycle(t, program(), host, "-role", "realserver")
}

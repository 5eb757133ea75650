package main

import (
	"testing"

	"github.com/golvs/lvs/examples/internal/role/roletest"
)

func TestInKernel(t *testing.T) {
	_, host := roletest.InKernel(t, "ipip", "fou")
	roletest.Cycle(t, program(), host, "-type", "gue")
	roletest.Cycle(t, program(), host, "-type", "gue", "-role", "realserver")
}

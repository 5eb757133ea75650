//go:build !unix

package top

import "os"

// signals are those that a live view handles. Here there are none.
type signals struct {
	resized, resumed, hangup chan os.Signal
}

func notify() *signals { return &signals{} }

func (*signals) stop() {}

func (*signals) stopProcess() {}

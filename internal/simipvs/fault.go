package simipvs

import (
	"slices"
	"time"
)

// Fault is something that goes wrong with one request.
type Fault struct {
	Command uint8         // that it strikes; 0: any
	Bare    bool          // of those with the command, it strikes those without attributes; otherwise those with some
	Times   int           // how many requests it strikes
	Do      func() error  // is called first, if not nil; it may use the kernel. Its error ends the datagram
	Delay   time.Duration // the request takes so long
	Errno   int           // answers the request, which is not done
	Lose    bool          // the request is done, and no answer to its datagram comes
}

// Inject lets a fault strike the next requests that it is for, after those that
// were injected before it.
func (k *Kernel) Inject(f Fault) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.faults = append(k.faults, f)
}

// takeFault returns the fault that strikes a request.
func (k *Kernel) takeFault(command uint8, bare bool) (Fault, bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for i := range k.faults {
		f := &k.faults[i]
		if f.Command != 0 && (f.Command != command || f.Bare != bare) {
			continue
		}
		strikes := *f
		if f.Times--; f.Times <= 0 {
			k.faults = slices.Delete(k.faults, i, i+1)
		}
		return strikes, true
	}
	return Fault{}, false
}

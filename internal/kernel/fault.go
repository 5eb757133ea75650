package kernel

import "time"

// Fault is something that goes wrong with one request.
type Fault struct {
	Command uint8         // that it strikes; 0: any
	Do      func()        // is called first, if not nil; it may use the kernel
	Delay   time.Duration // the request takes so long
	Errno   int           // answers the request, which is not done
	Lose    bool          // the request is done, and no answer to its datagram comes
}

// Inject lets a fault strike the next request that it is for, after those that
// were injected before it.
func (k *Kernel) Inject(f Fault) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.faults = append(k.faults, f)
}

// takeFault returns the fault that strikes a request.
func (k *Kernel) takeFault(command uint8) (Fault, bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for i, f := range k.faults {
		if f.Command == 0 || f.Command == command {
			k.faults = append(k.faults[:i:i], k.faults[i+1:]...)
			return f, true
		}
	}
	return Fault{}, false
}

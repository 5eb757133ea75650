package capture

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"iter"
	"net"
	"slices"
	"time"

	"github.com/golvs/lvs"
)

// Options configures [Replay]. The zero value delivers all packets but those that the host
// sent that captured them, as far as the file says.
type Options struct {
	// Director are the hardware addresses of the director. A packet that was sent to
	// another one is skipped. A capture of an Ethernet should have them: it shows what a
	// director of [lvs.DR] forwards a second time, under the address of the server.
	// Without any, and on links that show no address, none is skipped for its address.
	Director []net.HardwareAddr

	// Select skips the packets for which it returns false. Nil selects all.
	Select func(Packet) bool

	// Mark returns the mark that the firewall sets on a packet. Nil is 0 for all.
	Mark func(Packet) uint32
}

// Step is a packet of a capture, and what the simulator did with it.
type Step struct {
	Packet   Packet          // as the capture has it
	Delivery lvs.SimDelivery // the zero value with an error
	Err      error           // of the delivery, such as for a malformed packet; nil: none
}

// Replay delivers the packets of a capture to a simulator, in the order of the file. Before
// each it advances the simulator by the time since the last one, so that connections expire
// as they would have; a packet with an earlier time comes at once. The simulator must
// therefore have no [lvs.SimOptions.Clock].
//
// A packet of which the file has only the beginning is delivered with zeros in place of the
// rest: IPVS looks at headers alone, except for the persistence engine of a service, FTP, and
// ICMP, whose checksums it verifies.
//
// An error ends the steps: one of [Read], of [lvs.Simulator.Advance], or the context's. What
// a single packet was answered with does not, see [Step.Err].
func Replay(ctx context.Context, s *lvs.Simulator, r io.Reader, o Options) iter.Seq2[Step, error] {
	return func(yield func(Step, error) bool) {
		var last time.Time
		for p, err := range Read(r) {
			if err == nil {
				err = context.Cause(ctx)
			}
			if err == nil && !last.IsZero() {
				err = advance(s, p.Time.Sub(last))
			}
			if err != nil {
				yield(Step{}, err)
				return
			}
			if p.Time.After(last) {
				last = p.Time
			}
			if o.skips(p) {
				continue
			}
			step := Step{Packet: p}
			step.Delivery, step.Err = s.DeliverIP(p.IP, o.mark(p))
			if !yield(step, nil) {
				return
			}
		}
	}
}

func advance(s *lvs.Simulator, d time.Duration) error {
	if err := s.Advance(max(0, d)); err != nil {
		return fmt.Errorf("capture: %w", err)
	}
	return nil
}

func (o *Options) skips(p Packet) bool {
	isDirector := func(a net.HardwareAddr) bool { return bytes.Equal(a, p.Destination) }
	elsewhere := len(o.Director) > 0 && p.Destination != nil && !slices.ContainsFunc(o.Director, isDirector)
	return p.Outgoing || elsewhere || o.Select != nil && !o.Select(p)
}

func (o *Options) mark(p Packet) uint32 {
	if o.Mark == nil {
		return 0
	}
	return o.Mark(p)
}

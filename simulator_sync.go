package lvs

import (
	"errors"
	"fmt"
	"time"

	"github.com/golvs/lvs/internal/simipvs"
)

// SimSyncMessage is a message from the sync daemon of one director to those of others,
// as kernels send it.
type SimSyncMessage struct {
	Time    time.Time // when it was sent, by the simulator's clock
	Port    uint16    // UDP port: [SyncDaemon.Port] or, with sync_ports, one of those behind it
	Payload []byte    // of the datagram
}

// SyncMessages returns what the master daemon has sent since the last call, oldest first.
// A message is sent when it is full, or two seconds after its first connection. It is
// kept until SyncMessages returns it: of full ones, net.ipv4.vs.sync_qlen_max for each
// port, and further ones are lost. What the daemon has not sent when it is stopped is lost
// too.
//
// A simulated director gets a message by [Simulator.DeliverSync]. A real one gets it by a
// UDP datagram to its group, which is 224.0.0.81 by default, and to the message's port, on
// the interface of its daemon: whoever sends it, the kernel looks at the payload alone. The
// other way, a program that joins the group of a real master reads payloads that DeliverSync
// takes as they are.
func (s *Simulator) SyncMessages() []SimSyncMessage {
	var all []SimSyncMessage
	for _, m := range s.kernel.TakeSync() {
		all = append(all, SimSyncMessage{m.Time, m.Port, m.Payload})
	}
	return all
}

// DeliverSync delivers a message to the backup daemon, at once: m.Time does not matter. The
// message may come from a simulated master or a real one.
//
// The error matches [ErrNotFound] if no daemon takes the message: none runs, or it listens
// to other ports or has another sync ID. It matches [ErrInvalid] if the daemon ignores the
// message or a part of it, as kernels silently do; connections in the rest are taken over.
// It matches [errors.ErrUnsupported] for a part that is not simulated: templates that have a
// client's port or say that it is not known yet. No master sends them. Kernels take such a
// template for a connection as well, and count the connections of its server below zero.
func (s *Simulator) DeliverSync(m SimSyncMessage) error {
	err := s.kernel.DeliverSync(m.Port, m.Payload)
	if err == nil {
		return nil
	}
	e := &Error{kind: ErrInvalid, cause: err}
	switch {
	case errors.Is(err, simipvs.ErrNoBackup):
		e.kind = ErrNotFound
	case errors.Is(err, errors.ErrUnsupported):
		e.kind = errors.ErrUnsupported
	}
	return e.about(OpDeliver, fmt.Sprintf("sync message to port %d", m.Port))
}

package lvs

import (
	"cmp"
	"strings"
)

// Service is a virtual service: what clients connect to.
type Service struct {
	ID ServiceID `json:"id" yaml:"id"` // what it is for; the zero value is refused

	// Scheduler picks the real server of a new connection. Empty means [WLC]
	// when the service is added; an update must name one.
	Scheduler Scheduler `json:"scheduler,omitempty" yaml:"scheduler,omitempty"`

	// SchedulerFlags are switches of the scheduler; zero is none.
	SchedulerFlags SchedulerFlags `json:"schedulerFlags,omitzero" yaml:"schedulerFlags,omitempty"`

	// Persistence sends a client's later connections to the same real server;
	// zero is none.
	Persistence Persistence `json:"persistence,omitzero" yaml:"persistence,omitempty"`

	// OnePacket schedules each datagram by itself. It is for UDP, and for a
	// firewall mark, where it concerns the UDP packets only.
	OnePacket bool `json:"onePacket,omitempty" yaml:"onePacket,omitempty"`
}

// Equal tells whether the kernel would see the same service: an empty scheduler
// is [WLC], and a mask that is full, or has no persistence to serve, is none.
func (s Service) Equal(other Service) bool { return s.normal() == other.normal() }

func (s Service) normal() Service {
	s.Scheduler = cmp.Or(s.Scheduler, WLC)
	if s.Persistence.Timeout == 0 || s.Persistence.Mask == fullMask(s.ID) {
		s.Persistence.Mask = Mask{}
	}
	return s
}

// String shows the service in one line, such as
// "tcp://192.168.0.11:80 lc persistent 5m0s/24".
func (s Service) String() string {
	var b strings.Builder
	b.WriteString(s.ID.String() + " " + cmp.Or(s.Scheduler, WLC).String())
	if s.SchedulerFlags != 0 {
		b.WriteString(" (" + s.SchedulerFlags.Names(s.Scheduler) + ")")
	}
	if s.Persistence != (Persistence{}) {
		b.WriteString(" persistent " + s.Persistence.String())
	}
	if s.OnePacket {
		b.WriteString(" ops")
	}
	return b.String()
}

// validate refuses what can never work. An edit passes the service as it was:
// what it does not touch is not looked at.
func (s Service) validate(was *Service) *Error {
	fresh := was == nil
	if fresh {
		if err := validateID(s.ID); err != nil {
			return err
		}
		was = &Service{}
	}
	if fresh || s.Scheduler != was.Scheduler {
		if err := s.Scheduler.validate(); err != nil {
			return err
		}
	}
	if own := s.SchedulerFlags & ownFlags; own != 0 && (fresh || s.SchedulerFlags != was.SchedulerFlags) {
		return invalid("Flags", "%#x are not the scheduler's; set Persistence or OnePacket instead", uint32(own))
	}
	if fresh || s.Persistence != was.Persistence {
		if err := s.Persistence.validate(s.ID); err != nil {
			return err
		}
	}
	if s.OnePacket && !was.OnePacket && s.ID.mark == 0 && s.ID.protocol != ProtocolUDP {
		return invalid("OnePacket", "a %s service cannot be scheduled by the packet, only UDP can", s.ID.protocol)
	}
	if (fresh || s.Persistence != was.Persistence) && s.catchAll() && s.Persistence.Timeout == 0 {
		return invalid("Persistence", "a service on port 0 stands for every port only with persistence; "+
			"without, it would refuse all connections to %s", s.ID.vip.Addr())
	}
	return nil
}

// catchAll tells whether the service stands for every port of its address.
func (s Service) catchAll() bool { return s.ID.mark == 0 && s.ID.vip.Port() == 0 }

// ServiceStatus is a service as the kernel reports it.
type ServiceStatus struct {
	Service
	Stats Stats `json:"stats" yaml:"stats"` // those of all its servers together
}

package lvs

import (
	"cmp"
	"strings"
)

// Service is a virtual service: what clients connect to.
type Service struct {
	ID ServiceID `json:"id" yaml:"id"` // identity of the service; the zero value is refused

	// Scheduler picks the real server of a new connection; empty is [WLC].
	Scheduler Scheduler `json:"scheduler,omitempty" yaml:"scheduler,omitempty"`

	// SchedulerFlags are switches of the scheduler; zero is none.
	SchedulerFlags SchedulerFlags `json:"schedulerFlags,omitzero" yaml:"schedulerFlags,omitempty"`

	// Persistence sends the later connections of a client to the same real
	// server; the zero value is none.
	Persistence Persistence `json:"persistence,omitzero" yaml:"persistence,omitempty"`

	// OnePacket schedules each datagram on its own. It is for UDP services and
	// for firewall marks, where it applies to UDP packets only.
	OnePacket bool `json:"onePacket,omitempty" yaml:"onePacket,omitempty"`
}

// Equal reports whether the kernel would see the same service: an empty
// scheduler is [WLC], and a mask of the whole address, or without a timeout, does
// not count.
func (s Service) Equal(other Service) bool { return s.normal() == other.normal() }

func (s Service) normal() Service {
	s.Scheduler = cmp.Or(s.Scheduler, WLC)
	if s.Persistence.Timeout == 0 || s.Persistence.Mask == fullMask(s.ID) {
		s.Persistence.Mask = Mask{}
	}
	return s
}

// String returns the service in one line, such as
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

// Validate returns the error with which [Client.Do] would refuse to add the
// service, or nil. The error is an [*Error] that matches [ErrInvalid] and names
// the field. The kernel may refuse a valid service.
func (s Service) Validate() error {
	if err := s.validate(nil); err != nil {
		return err.about(OpAddService, s.ID.String())
	}
	return nil
}

// validate returns the first of the problems, or nil.
func (s Service) validate(was *Service) *Error { return s.problems(was).first() }

// problems returns what can never work. For an edit, was is the service before, and
// fields that do not change are not validated. What depends on an ID that is not
// valid is not judged.
func (s Service) problems(was *Service) (all problems) {
	fresh := was == nil
	if fresh {
		all.add(validateID(s.ID))
		was = &Service{}
	}
	if fresh || s.Scheduler != was.Scheduler {
		all.add(s.Scheduler.validate())
	}
	if own := s.SchedulerFlags & ownFlags; own != 0 && (fresh || s.SchedulerFlags != was.SchedulerFlags) {
		all.add(invalid("SchedulerFlags", "%#x are not the scheduler's; set Persistence or OnePacket instead", uint32(own)))
	}
	if !s.ID.IsValid() {
		return all
	}
	if s.OnePacket && !was.OnePacket && s.ID.mark == 0 && s.ID.protocol != ProtocolUDP {
		all.add(invalid("OnePacket", "only a UDP service can schedule each datagram on its own, not one of %s", s.ID.protocol))
	}
	if fresh || s.Persistence != was.Persistence {
		all = append(all, s.persistenceProblems()...)
	}
	return all
}

func (s Service) persistenceProblems() problems {
	all := s.Persistence.problems(s.ID)
	if len(all) == 0 && s.isCatchAll() && s.Persistence.Timeout == 0 {
		all.add(invalid("Persistence", "a service on port 0 receives packets for every port only with persistence; "+
			"without it, the kernel would refuse all connections to %s", s.ID.vip.Addr()))
	}
	return all
}

// isCatchAll reports whether the service is for every port of its address.
func (s Service) isCatchAll() bool { return s.ID.mark == 0 && s.ID.vip.Port() == 0 }

// ServiceStatus is a service as the kernel reports it.
type ServiceStatus struct {
	Service `yaml:",inline"`

	Stats Stats `json:"stats" yaml:"stats"` // sums over its real servers
}

// Equal reports whether the services are equal, and so are all their counters.
func (s ServiceStatus) Equal(other ServiceStatus) bool {
	return s.Service.Equal(other.Service) && s.Stats == other.Stats
}

// String returns the service and its counters in one line.
func (s ServiceStatus) String() string { return s.Service.String() + "; " + s.Stats.String() }

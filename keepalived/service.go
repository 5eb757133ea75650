package keepalived

import (
	"math"
	"net/netip"
	"strings"
	"time"

	"github.com/golvs/lvs"
	"github.com/golvs/lvs/health"
)

// service is a virtual_server: a service, or all of a group.
type service struct {
	defaults
	lvs.Service // but for its ID

	protocol lvs.Protocol // 0 if none is given
	vip      netip.AddrPort
	mark     uint32
	group    *group
	family   int // 4, 6, or 0 if not known yet

	mode    lvs.Mode
	weight  int
	inhibit bool

	quorum, hysteresis int64
	minds              bool // whether anything says what a lost quorum means
	sorry              *sorry

	servers []*server
	scripts []script

	statement *statement
}

// sorry is the sorry_server of a service.
type sorry struct {
	addr      netip.AddrPort
	mode      lvs.Mode
	hasMode   bool
	statement *statement
}

// keepalived's default of an absent or empty timeout.
const defaultPersistence = 6 * time.Minute

// service makes the services of a virtual_server.
func (m *maker) service(s *statement) error {
	if s.keyword() != "virtual_server" {
		return nil
	}
	v := &service{
		defaults: defaults{interval: time.Minute, timeout: 5 * time.Second, retry: -1, pause: -1},
		Service:  lvs.Service{Scheduler: lvs.WLC}, mode: lvs.NAT(), weight: 1, quorum: 1, statement: s,
	}
	if err := v.identify(m.groups, s); err != nil {
		return err
	}
	for _, c := range s.children {
		if c.keyword() != "real_server" {
			if err := m.serviceLine(v, c); err != nil {
				return err
			}
		}
	}
	for _, c := range s.children {
		if c.keyword() == "real_server" {
			if err := m.server(v, c); err != nil {
				return err
			}
		}
	}
	return m.finish(v, s)
}

// identify reads which service it is.
func (v *service) identify(groups map[string]*group, s *statement) (err error) {
	args := s.args()
	if len(args) == 0 || len(args) > 2 {
		return s.at.errorf("want virtual_server ADDRESS PORT, fwmark NUMBER or group NAME")
	}
	switch args[0] {
	case "group", "fwmark":
		if len(args) != 2 {
			return s.at.errorf("virtual_server %s: what follows?", args[0])
		}
		if args[0] == "group" {
			if v.group = groups[args[1]]; v.group == nil {
				return s.word(2).errorf("there is no virtual_server_group %s", args[1])
			}
			return nil
		}
		n, err := s.numberAt(2, args[1], 1, math.MaxUint32)
		v.mark = uint32(n)
		return err
	}
	if v.vip, err = s.addrPort(1); err != nil {
		return err
	}
	v.family = 4
	if v.vip.Addr().Is6() {
		v.family = 6
	}
	return nil
}

// serviceLine reads a line of a virtual_server.
func (m *maker) serviceLine(v *service, s *statement) (err error) {
	if known, err := m.defaults(&v.defaults, s); known {
		return err
	}
	switch s.keyword() {
	case "lb_algo", "lvs_sched":
		return v.readScheduler(s)
	case "ops":
		v.OnePacket = true
	case "flag-1", "flag-2", "flag-3", "sh-port", "sh-fallback", "mh-port", "mh-fallback":
		return m.flag(v, s)
	case "lb_kind", "lvs_method":
		v.mode, err = s.mode()
	case "persistence_timeout":
		return m.persistence(v, s)
	case "persistence_granularity":
		return v.readGranularity(s)
	case "persistence_engine":
		v.Persistence.Engine, err = s.one()
	case "protocol":
		return v.readProtocol(s)
	case "ip_family":
		return v.readFamily(s)
	case "weight":
		v.weight, err = s.weight(1)
	case "inhibit_on_failure":
		v.inhibit = true
	case "quorum":
		v.quorum, err = s.number(1, math.MaxInt32)
		v.minds = true
	case "hysteresis":
		v.hysteresis, err = s.number(0, math.MaxInt32)
	case "quorum_up", "quorum_down":
		v.minds = true
		return m.script(&v.scripts, s)
	case "sorry_server":
		v.sorry = &sorry{statement: s}
		v.sorry.addr, err = s.addrPort(1)
	case "sorry_server_lvs_method":
		if v.sorry == nil {
			return s.at.errorf("%s must stand below sorry_server", s.keyword())
		}
		v.sorry.hasMode = true
		v.sorry.mode, err = s.mode()
	default:
		m.serviceNote(s)
	}
	return err
}

// serviceNote says why a line of a virtual_server is left out.
func (m *maker) serviceNote(s *statement) {
	switch s.keyword() {
	case "alpha":
		// A server that is added never gets a weight before its first success.
	case "omega":
		m.note(s, "services and servers stay as they are at the end, and no script is run")
	case "warmup":
		m.note(s, "first checks are always spread over the interval")
	case "ha_suspend":
		m.note(s, "servers are checked whether or not this host has the address")
	case "sorry_server_inhibit":
		m.note(s, "the sorry server is removed while it is not needed")
	case "smtp_alert":
		m.note(s, "no mail is sent: health.Options.OnEvent has the events")
	case "snmp_name":
		m.note(s, "there is no SNMP; metrics name services by their addresses")
	case "hashed":
		m.note(s, "IPVS sets this flag itself")
	default:
		m.unknown(s)
	}
}

func (m *maker) unknown(s *statement) {
	m.note(s, "the keyword is unknown here, and keepalived would leave it out, too")
}

// schedulers are those that keepalived takes.
const schedulers = " rr wrr lc wlc lblc sh mh dh fo ovf lblcr sed nq twos "

func (v *service) readScheduler(s *statement) error {
	name, err := s.one()
	if err != nil {
		return err
	}
	if !strings.Contains(schedulers, " "+name+" ") {
		return s.word(1).errorf("%s: %q is not one of%s", s.keyword(), name, strings.TrimRight(schedulers, " "))
	}
	v.Scheduler = lvs.Scheduler(name)
	return nil
}

// flag reads a switch of the scheduler, which must stand above it if it is named there.
func (m *maker) flag(v *service, s *statement) error {
	owner, _, named := strings.Cut(s.keyword(), "-")
	if named && owner != "flag" && owner != string(v.Scheduler) {
		m.note(s, "keepalived leaves it out, since the scheduler above it is %s", v.Scheduler)
		return nil
	}
	flag, err := lvs.ParseSchedulerFlags(s.keyword())
	v.SchedulerFlags |= flag
	return err
}

func (m *maker) persistence(v *service, s *statement) error {
	if len(s.words) == 1 {
		v.Persistence.Timeout = defaultPersistence
		return nil
	}
	n, err := s.number(0, int64(lvs.MaxPersistence/time.Second))
	if err == nil && n == 0 {
		m.note(s, "keepalived leaves 0 out, and the service is not persistent by this line")
		return nil
	}
	v.Persistence.Timeout = time.Duration(n) * time.Second
	return err
}

func (v *service) readGranularity(s *statement) error {
	text, err := s.one()
	if err != nil {
		return err
	}
	if v.family == 0 {
		v.family = 6
		if strings.Contains(text, ".") {
			v.family = 4
		}
	}
	mask, err := lvs.ParseMask(text)
	if dotted := strings.Contains(text, "."); err != nil || dotted != (v.family == 4) {
		return s.word(1).errorf("%s: %q is not a mask such as 255.255.255.0, or in IPv6 a number of bits", s.keyword(), text)
	}
	v.Persistence.Mask = mask
	if v.Persistence.Timeout == 0 {
		v.Persistence.Timeout = defaultPersistence
	}
	return nil
}

func (v *service) readProtocol(s *statement) error {
	name, err := s.one()
	if err != nil {
		return err
	}
	switch strings.ToUpper(name) {
	case "TCP":
		v.protocol = lvs.ProtocolTCP
	case "UDP":
		v.protocol = lvs.ProtocolUDP
	case "SCTP":
		v.protocol = lvs.ProtocolSCTP
	default:
		return s.word(1).errorf("%s: %q is not TCP, UDP or SCTP", s.keyword(), name)
	}
	return nil
}

func (v *service) readFamily(s *statement) error {
	if _, err := s.one(); err != nil {
		return err
	}
	family, err := s.family(1)
	if err == nil && v.family != 0 && v.family != family {
		return s.word(1).errorf("%s: the service is of the other family", s.keyword())
	}
	v.family = family
	return err
}

// weight returns the only parameter, which is a weight.
func (s *statement) weight(least int64) (int, error) {
	n, err := s.number(least, math.MaxInt32)
	return int(n), err
}

// mode returns the parameters, which are a forwarding method.
func (s *statement) mode() (lvs.Mode, error) {
	args := s.args()
	if len(args) == 0 {
		return lvs.Mode{}, s.at.errorf("%s: want NAT, DR or TUN", s.keyword())
	}
	switch {
	case args[0] == "NAT" && len(args) == 1:
		return lvs.NAT(), nil
	case args[0] == "DR" && len(args) == 1:
		return lvs.DR(), nil
	case args[0] == "TUN":
		return s.tunnel(args[1:])
	}
	return lvs.Mode{}, s.word(1).errorf("%s: %q is not NAT, DR or TUN with its options", s.keyword(), strings.Join(args, " "))
}

// tunnel returns what the options of TUN mean.
func (s *statement) tunnel(args []string) (lvs.Mode, error) {
	kind, flags := "ipip", lvs.TunnelFlags(0)
	var port int64
	for i := 0; i < len(args); i++ {
		at := s.word(i + 2)
		switch args[i] {
		case "csum":
			flags = lvs.TunnelChecksum
		case "remcsum":
			flags = lvs.TunnelRemoteChecksum
		case "nocsum":
			flags = 0
		case "type", "port":
			if i++; i == len(args) {
				return lvs.Mode{}, at.errorf("%s: what follows %s?", s.keyword(), args[i-1])
			}
			if args[i-1] == "type" {
				kind = args[i]
				continue
			}
			var err error
			if port, err = s.numberAt(i+2, args[i], 1, math.MaxUint16); err != nil {
				return lvs.Mode{}, err
			}
		default:
			return lvs.Mode{}, at.errorf("%s: %q is not an option of TUN", s.keyword(), args[i])
		}
	}
	switch {
	case kind == "gue" && port != 0:
		return lvs.GUE(uint16(port), flags), nil
	case kind == "gre" && port == 0 && flags != lvs.TunnelRemoteChecksum:
		return lvs.GRE(flags), nil
	case kind == "ipip" && port == 0 && flags == 0:
		return lvs.IPIP(), nil
	}
	return lvs.Mode{}, s.at.errorf("%s: want TUN, TUN type gue port NUMBER, or TUN type gre, the last two perhaps with csum", s.keyword())
}

// limit returns what a lost quorum means, for servers of a total weight.
func (v *service) limit(total int64) health.Limit {
	quorum := min(v.quorum, total)
	hysteresis := max(min(v.hysteresis, quorum-1), 0)
	if quorum == 0 || v.sorry == nil && !v.minds {
		return health.Limit{}
	}
	// The quorum is lost below the one sum and back at the other.
	return health.Limit{Weight: int(quorum - hysteresis), Hysteresis: float64(2 * hysteresis), Then: health.Report}
}

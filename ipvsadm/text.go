package ipvsadm

import (
	"cmp"
	"strconv"
	"strings"
	"time"

	"github.com/golvs/lvs"
)

// text is made of lines, each of which is a command.
type text struct {
	strings.Builder

	saved bool // written as 'ipvsadm -S -n' does, whatever is lost
	SaveOptions
}

// line writes a command. Words that are empty are left out.
func (t *text) line(words ...string) *Error {
	for i, w := range words {
		if i > 0 && w != "" {
			t.WriteByte(' ')
		}
		t.WriteString(w)
	}
	t.WriteByte('\n')
	return nil
}

// service writes -A or -E.
func (t *text) service(command string, s lvs.Service) *Error {
	switch p := s.ID.Protocol(); p {
	case 0, lvs.ProtocolTCP, lvs.ProtocolUDP, lvs.ProtocolSCTP: // 0 is that of a mark
	default:
		return errorf("ipvsadm has no services of %s", p)
	}
	if vip := s.ID.AddrPort().Addr(); vip.Is4In6() && !t.saved {
		return mappedAddr(vip)
	}
	s.Scheduler = cmp.Or(s.Scheduler, lvs.WLC)
	if err := cmp.Or(checkName(s.Scheduler.String()), checkName(s.Persistence.Engine)); err != nil {
		return err
	}
	persistence, err := t.persistence(s)
	if err != nil {
		return err
	}
	flags, err := t.schedulerFlags(s)
	if err != nil {
		return err
	}
	onePacket := ""
	if s.OnePacket {
		onePacket = "-o"
	}
	return t.line(command, t.id(s.ID), "-s", s.Scheduler.String(), persistence, onePacket, flags)
}

// id returns a service as an option.
func (t *text) id(id lvs.ServiceID) string {
	if mark := id.FWMark(); mark != 0 {
		return "-f " + markText(mark, t.UnsignedMarks || !t.saved) + markFamily(id)
	}
	return serviceOption(id) + namedAddrPort(t.Names, id.AddrPort(), id.Protocol())
}

// persistence returns -p, -M and --pe, as far as the service has them.
func (t *text) persistence(s lvs.Service) (string, *Error) {
	p := s.Persistence
	var words []string
	if p.Timeout != 0 {
		n, err := t.seconds(p.Timeout)
		if err != nil {
			return "", err
		}
		words = append(words, "-p", n)
		if mask := maskText(s.ID, p.Mask); mask != "" {
			words = append(words, "-M", mask)
		}
	}
	if p.Engine != "" {
		words = append(words, "--pe", p.Engine)
	}
	return strings.Join(words, " "), nil
}

// seconds returns a timeout as ipvsadm reads it.
func (t *text) seconds(d time.Duration) (string, *Error) {
	n := d / time.Second
	if n > longestTimeout && !t.saved {
		return "", errorf("ipvsadm accepts a timeout of at most %s, and not %s", longestTimeout*time.Second, d)
	}
	return strconv.Itoa(int(n)), nil
}

// flag3 is the third flag of schedulers, which none of Linux uses.
const flag3 = lvs.HashPort << 1

// schedulerFlags returns -b, if the service has flags.
func (t *text) schedulerFlags(s lvs.Service) (string, *Error) {
	names := s.SchedulerFlags.Names(s.Scheduler)
	switch {
	case s.SchedulerFlags == 0:
		return "", nil
	case s.SchedulerFlags&^(lvs.HashFallback|lvs.HashPort|flag3) != 0:
		return "", errorf("ipvsadm has no names for the scheduler flags %s", names)
	case t.saved:
		names = flagNames(s)
	}
	return "-b " + names, nil
}

// flagNames returns the names of flags that ipvsadm prints: of sh and mh only two.
func flagNames(s lvs.Service) string {
	f := s.SchedulerFlags & (lvs.HashFallback | lvs.HashPort | flag3)
	if s.Scheduler == lvs.SH || s.Scheduler == lvs.MH {
		f &^= flag3
	}
	return f.Names(s.Scheduler)
}

// server writes -a or -e.
func (t *text) server(command string, id lvs.ServiceID, s lvs.RealServer) *Error {
	method, tunnel, err := modeText(s.Mode)
	if err != nil {
		return err
	}
	if s.Mode == lvs.IPIP() && !t.saved {
		tunnel = "" // which older releases of ipvsadm do not know
	}
	thresholds := ""
	if !t.saved && (s.UpperThreshold != 0 || s.LowerThreshold != 0) {
		thresholds = "-x " + strconv.Itoa(s.UpperThreshold) + " -y " + strconv.Itoa(s.LowerThreshold)
	}
	return t.line(command, t.id(id), "-r", namedAddrPort(t.Names, serverKey(s.Addr), id.Protocol()), method, "-w", strconv.Itoa(s.Weight), tunnel, thresholds)
}

// modeText returns how a server is reached: the method, and the options of a tunnel.
func modeText(m lvs.Mode) (method, tunnel string, err *Error) {
	checksum := map[lvs.TunnelFlags]string{
		0: "--tun-nocsum", lvs.TunnelChecksum: "--tun-csum", lvs.TunnelRemoteChecksum: "--tun-remcsum",
	}[m.TunnelFlags()]
	switch m {
	case lvs.DR():
		return "-g", "", nil
	case lvs.NAT():
		return "-m", "", nil
	case lvs.IPIP():
		return "-i", "--tun-type ipip", nil
	case lvs.GRE(m.TunnelFlags()):
		tunnel = "--tun-type gre " + checksum
	case lvs.GUE(m.Port(), m.TunnelFlags()):
		tunnel = "--tun-type gue --tun-port " + strconv.Itoa(int(m.Port())) + " " + checksum
	}
	if tunnel == "" || checksum == "" {
		return "", "", errorf("ipvsadm cannot set the mode %s", m)
	}
	return "-i", tunnel, nil
}

// timeouts writes --set.
func (t *text) timeouts(all lvs.Timeouts) *Error {
	words := []string{"--set"}
	for _, d := range []time.Duration{all.TCP, all.TCPFin, all.UDP} {
		n, err := t.seconds(d)
		if err != nil {
			return err
		}
		words = append(words, n)
	}
	return t.line(words...)
}

// daemon writes --start-daemon.
func (t *text) daemon(d lvs.SyncDaemon) *Error {
	if err := checkName(d.Interface); err != nil {
		return err
	}
	if d.MaxLen > longestMessage {
		return errorf("ipvsadm accepts messages of at most %d bytes, and not %d", longestMessage, d.MaxLen)
	}
	words := []string{"--start-daemon", d.Role.String(), "--mcast-interface", d.Interface, "--syncid", strconv.Itoa(d.SyncID)}
	option := func(name string, n int) {
		if n != 0 {
			words = append(words, name, strconv.Itoa(n))
		}
	}
	option("--sync-maxlen", d.MaxLen)
	if d.Group.IsValid() {
		words = append(words, "--mcast-group", addrText(d.Group.Unmap()))
	}
	option("--mcast-port", int(d.Port))
	option("--mcast-ttl", d.TTL)
	return t.line(words...)
}

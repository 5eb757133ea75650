package conformance

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// Histories about sync daemons have these steps:
//
//	daemon master, daemon backup   starts one
//	stop master, stop backup       stops it
//	entry tcp CLIENT VIP SERVER [flags N] [state N] [timeout N] [mark N]
//	                               delivers a message of that entry to the backup
//	sent                           waits until all is sent, and prints the entries

// sync plays a step about daemons to both sides.
func (p *script) sync(s step) (difference, printed string) {
	sim := p.sim.side.(syncer)
	switch s := s.(type) {
	case thresholds:
		got := p.sim.setThresholds(s)
		if p.real != nil {
			difference = unlike([]step{s}, p.real.setThresholds(s), got)
		}
	case message:
		sim.Hear(s)
		if p.real != nil {
			p.real.side.(syncer).Hear(s)
		}
	case sent:
		var said []message
		if p.real != nil {
			difference, _, said = p.compareSent()
		} else {
			said = p.flush(p.sim)[0]
		}
		for _, entry := range entriesOf(said)[0] {
			printed += strings.TrimSpace(strings.TrimSuffix(entry, "options ")) + "\n"
		}
	}
	return difference, printed
}

func (p *script) shortSync(f []string) (step, error) {
	if f[0] == "entry" {
		return shortEntry(f[1:])
	}
	state := map[string]uint32{"master": 1, "backup": 2}[f[1]]
	command := uint8(cNewDaemon)
	if f[0] == "stop" {
		command = cDelDaemon
	}
	return newCall(command, attributes{{aDaemon, daemonOf(state).encode()}}), nil
}

// shortEntry returns a message of one entry.
func shortEntry(f []string) (step, error) {
	const port, id, headers = 8848, 5, 8
	protocol := map[string]byte{"tcp": protocolTCP, "udp": protocolUDP, "sctp": protocolSCTP, "ip": 0}[f[0]]
	var ends [3]netip.AddrPort
	for i := range ends {
		var err error
		if ends[i], err = netip.ParseAddrPort(f[1+i]); err != nil {
			return nil, err
		}
	}
	numbers := map[string]uint32{}
	for more := f[4:]; len(more) >= 2; more = more[2:] {
		n, err := strconv.ParseUint(more[1], 0, 32)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", more[0], err)
		}
		numbers[more[0]] = uint32(n)
	}
	b := []byte{0, id, 0, 0, 1, 1, 0, 0, 0, protocol, 0, 0}
	if ends[0].Addr().Is6() {
		b[headers] = 1
	}
	b = binary.BigEndian.AppendUint32(b, numbers["flags"])
	b = binary.BigEndian.AppendUint16(b, uint16(numbers["state"]))
	for _, a := range ends {
		b = binary.BigEndian.AppendUint16(b, a.Port())
	}
	b = binary.BigEndian.AppendUint32(b, numbers["mark"])
	b = binary.BigEndian.AppendUint32(b, numbers["timeout"])
	for _, a := range ends {
		b = append(b, a.Addr().AsSlice()...)
	}
	binary.BigEndian.PutUint16(b[2:], uint16(len(b)))
	binary.BigEndian.PutUint16(b[headers+2:], uint16(len(b)-headers))
	return message{port, b}, nil
}

package simipvs

import "net/netip"

// Owner is a server of a service, as entries of the connection table have one.
type Owner struct {
	Service ServiceName
	Server  netip.AddrPort // as its service has it
}

// Owners returns for each entry the servers in the table that it may be of, the
// likeliest first. An entry does not say which service it came by, and one whose
// server was removed looks like one of another service's server.
func (k *Kernel) Owners(entries []Entry) [][]Owner {
	k.lock()
	defer k.mu.Unlock()
	o := k.ownership()
	all := make([][]Owner, len(entries))
	for i := range entries {
		for _, d := range o.of(&entries[i]) {
			all[i] = append(all[i], Owner{*d.name, d.Addr})
		}
	}
	return all
}

// ownership finds servers by their address.
type ownership struct {
	*Kernel
	servers map[place][]*dest // the newest first
}

// place is where the servers of a service, or of all services of marks, have one
// address.
type place struct {
	service *service // nil: services of marks
	family  uint32
	addr    netip.Addr
}

func (k *Kernel) ownership() *ownership {
	o := &ownership{k, make(map[place][]*dest)}
	for s := range k.services.all() {
		for server := range s.group.All() {
			d := k.dests[server.ID]
			at := place{s, s.key.family, d.Addr.Addr()}
			o.servers[at] = append(o.servers[at], d)
			if s.key.mark != 0 {
				at.service = nil
				o.servers[at] = append(o.servers[at], d)
			}
		}
	}
	return o
}

// of returns the servers that an entry may be of.
func (o *ownership) of(e *Entry) (all []*dest) {
	if e.isTemplate() {
		return o.ofTemplate(e)
	}
	at := e.ends()
	key := serviceKey{family: at.family, protocol: uint16(at.protocol), port: at.dport, addr: at.dst}
	ftp, anyPort := key, key
	ftp.port, anyPort.port = ftpPort, 0
	keys := []serviceKey{key, anyPort}
	if at.dport != ftpPort && o.takesFTP(&at) {
		keys = []serviceKey{key, ftp, anyPort}
	}
	if e.Mark != nil && *e.Mark != 0 {
		keys = append([]serviceKey{{family: at.family, mark: *e.Mark}}, keys...)
	}
	for _, key := range keys {
		if s := o.lookup(key); s != nil {
			all = append(all, reached(o.servers[place{s, at.family, e.Server.Addr()}], e)...)
		}
	}
	if e.Mark == nil {
		all = append(all, reached(o.servers[place{nil, at.family, e.Server.Addr()}], e)...)
	}
	return all
}

// reached returns those of the servers at one address that packets of an entry
// reach by its port: their own comes first; the port of the packets is that of
// servers without one, and of all where persistence or the helper for FTP sends clients on
// to another port than the service's. Data that the server sends comes from the port below
// its own.
func reached(servers []*dest, e *Entry) (all []*dest) {
	port, vport := e.Server.Port(), e.VIP.Port()
	for _, d := range servers {
		if d.Addr.Port() == port {
			all = append(all, d)
		}
	}
	for _, d := range servers {
		own := d.Addr.Port()
		opensData := vport == ftpDataPort && port == own-1
		if own != port && (opensData || port == vport && (own == 0 || d.key.port != vport)) {
			all = append(all, d)
		}
	}
	return all
}

// ofTemplate returns the servers that a template may be of. One for all ports is
// of a mark, of a service of port 0, or of FTP, and names no port.
func (o *ownership) ofTemplate(e *Entry) (all []*dest) {
	at := e.ends()
	key := serviceKey{family: at.family, protocol: uint16(at.protocol), port: at.dport, addr: at.dst}
	keys := []serviceKey{key}
	switch {
	case e.Protocol == protoIP:
		keys[0] = serviceKey{family: at.family, mark: markOf(at.family, &at.dst)}
	case at.dport == 0 && e.Protocol == protoTCP:
		key.port = ftpPort
		keys = append(keys, key)
	}
	for _, key := range keys {
		s := o.lookup(key)
		if s == nil {
			continue
		}
		for _, d := range o.servers[place{s, at.family, e.Server.Addr()}] {
			if at.dport == 0 || d.Addr.Port() == e.Server.Port() {
				all = append(all, d)
			}
		}
	}
	return all
}

package lvs

import "net/netip"

// templateMasks are the masks by which services make templates, as bits of an address in
// 16 bytes. The kernel lists the network of a template's clients without its length.
type templateMasks map[templateOwner][][16]byte

// templateOwner is what the template of a service has, as the kernel lists it. Templates of
// all ports have port 0.
type templateOwner struct {
	protocol Protocol
	vip      netip.AddrPort
}

// newTemplateMasks returns the masks of the persistent services, without those that keep
// whole addresses.
func newTemplateMasks(t QuickTable) templateMasks {
	all := make(templateMasks)
	for _, s := range t.Services {
		if !s.Persistent || s.PersistenceMask.IsZero() {
			continue
		}
		key := templateOwner{s.ID.protocol, s.ID.vip}
		switch {
		case s.ID.mark != 0:
			key = templateOwner{0, netip.AddrPortFrom(listedMark(s.ID.mark, s.ID.Is6()), 0)}
		case s.ID.vip.Port() == portFTP:
			key.vip = netip.AddrPortFrom(s.ID.vip.Addr(), 0)
		}
		all[key] = append(all[key], s.PersistenceMask.as16(s.ID.Is6()))
	}
	return all
}

// covers reports whether a template's network and a prefix have a client in common.
func (all templateMasks) covers(c *Connection, prefix netip.Prefix) bool {
	network := c.Client.Addr()
	if network.Is4() != prefix.Addr().Is4() {
		return false
	}
	length := uint32(prefix.Bits())
	if network.Is4() {
		length += 96
	}
	theirs := Mask{prefixMask, length}.as16(true)
	a, b := network.As16(), prefix.Addr().As16()
	for _, mask := range all[templateOwner{c.Protocol, c.VIP}] {
		isCommon := true
		for i := range a {
			isCommon = isCommon && a[i]&^mask[i] == 0 && (a[i]^b[i])&mask[i]&theirs[i] == 0
		}
		if isCommon {
			return true
		}
	}
	return false
}

// as16 returns the bits that the mask keeps of an address in 16 bytes, where IPv4 has the
// last four.
func (m Mask) as16(is6 bool) (kept [16]byte) {
	length := int(m.value)
	if !is6 {
		length += 96
	}
	if m.kind == dottedMask {
		length = 96
		for i := range 4 {
			kept[12+i] = byte(m.value >> (24 - 8*i))
		}
	}
	for i := range length {
		kept[i/8] |= 0x80 >> (i % 8)
	}
	return kept
}

package simipvs

// Hooked reports whether IPVS sees the packets of a family. It does while the family has a
// service.
func (k *Kernel) Hooked(ipv6 bool) bool {
	k.lock()
	defer k.mu.Unlock()
	if ipv6 {
		return k.hooked(inet6)
	}
	return k.hooked(inet4)
}

// Reassembles6 reports whether netfilter puts fragments of IPv6 together before anything
// else sees them. It does from the first service of IPv6 on.
func (k *Kernel) Reassembles6() bool {
	k.lock()
	defer k.mu.Unlock()
	return k.reassembles6 || k.elsewhere.Services
}

// DiscoversMTU reports whether pmtu_disc is on.
func (k *Kernel) DiscoversMTU() bool {
	k.lock()
	defer k.mu.Unlock()
	return k.sysctl.pmtuDisc != 0
}

package lvs

import "slices"

// quickFamilies finds the address families of firewall marks, as far as real servers and
// masks of persistence show them.
func quickFamilies(all []QuickService, masks []uint32) {
	first := make(map[uint32]*QuickService) // of each mark
	for i := range all {
		s := &all[i]
		mark := s.ID.FWMark()
		if mark == 0 {
			continue
		}
		s.findFamily()
		if s.FamilyUnknown && s.Persistent {
			s.findFamilyByMask(masks[i])
		}
		other := first[mark]
		switch {
		case other == nil:
			first[mark] = s
		case s.FamilyUnknown:
			s.ID, s.FamilyUnknown = otherFamily(other.ID), other.FamilyUnknown
		case other.FamilyUnknown:
			other.ID, other.FamilyUnknown = otherFamily(s.ID), false
		}
	}
}

// findFamily finds the family of a firewall mark from its real servers: those of another
// family than the service's are behind tunnels.
func (s *QuickService) findFamily() {
	for i, server := range s.RealServers {
		is6, isSure := server.Addr.Addr().Is6(), server.Method != MethodTunnel
		if i > 0 && !isSure {
			continue
		}
		s.ID, s.FamilyUnknown = FWMark(s.ID.FWMark()), !isSure
		if is6 {
			s.ID = otherFamily(s.ID)
		}
		if isSure {
			return
		}
	}
}

// findFamilyByMask finds the family of a firewall mark from the mask of its persistence.
// Of IPv6 it is a number of bits, in a single byte. IPv4 masks that look so are possible,
// but hardly ever used.
func (s *QuickService) findFamilyByMask(mask uint32) {
	if !isListedPrefix(mask) {
		s.ID, s.FamilyUnknown = FWMark(s.ID.FWMark()), false
		return
	}
	s.ID = FWMark6(s.ID.FWMark())
}

// otherFamily returns the ID of the same mark in the other address family.
func otherFamily(id ServiceID) ServiceID {
	if id.Is6() {
		return FWMark(id.FWMark())
	}
	return FWMark6(id.FWMark())
}

// adoptFamilies gives firewall marks of unknown family the family that another reading
// found, or guessed, if each reading has one service of the mark.
func (t *QuickTable) adoptFamilies(last QuickTable) {
	find := func(t QuickTable, id ServiceID) (*QuickService, bool) {
		i, ok := slices.BinarySearchFunc(t.Services, id, func(s QuickService, id ServiceID) int { return s.ID.Compare(id) })
		if !ok {
			return nil, false
		}
		return &t.Services[i], true
	}
	for i := range t.Services {
		s := &t.Services[i]
		if !s.FamilyUnknown {
			continue
		}
		other := otherFamily(s.ID)
		_, hasOther := find(*t, other)
		_, hadSame := find(last, s.ID)
		if _, hadOther := find(last, other); hadOther && !hadSame && !hasOther {
			s.ID, s.PersistenceMask = other, Mask{} // the order stays: the two families of a mark are neighbours
		}
	}
}

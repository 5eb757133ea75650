package simipvs

// The overload flag of a server is set at its upper threshold and cleared below
// its lower one. The two generations of kernels keep it at different moments.

// total is the number of connections that thresholds count.
func (d *dest) total() uint32 { return uint32(d.Active + d.Inactive) }

// floor is the number of connections below which a server that was full takes
// new ones: three quarters of the upper threshold unless it is given.
func (d *dest) floor() uint32 {
	if d.lower != 0 {
		return d.lower
	}
	return d.upper - d.upper/4
}

// attach counts a connection, or a template, that a server gets.
func (k *Kernel) attach(d *dest, template bool) {
	d.refs++
	if template {
		d.persistent++
	} else {
		d.Inactive++
	}
	if k.totals {
		if !template && d.upper != 0 && d.total() == d.upper && d.total() >= d.floor() {
			d.Overloaded = true
		}
	} else if d.upper != 0 && d.total() >= d.upper {
		d.Overloaded = true
	}
	k.counted(d)
}

// detach counts a connection, or a template, that a server loses.
func (k *Kernel) detach(d *dest, template, active bool) {
	d.refs--
	switch {
	case template:
		d.persistent--
	case active:
		d.Active--
	default:
		d.Inactive--
	}
	if k.totals {
		if !template && d.total()+1 == d.floor() && (d.upper == 0 || d.total() < d.upper) {
			d.Overloaded = false
		}
	} else if d.clears() {
		d.Overloaded = false
	}
	k.counted(d)
}

// clears reports whether an older kernel ends the overload when a connection is
// taken back.
func (d *dest) clears() bool {
	switch {
	case d.lower != 0:
		return d.total() < d.lower
	case d.upper != 0:
		return 4*uint64(d.total()) < 3*uint64(d.upper)
	}
	return true
}

// thresholdsChanged follows the setting of thresholds.
func (k *Kernel) thresholdsChanged(d *dest, oldUpper, oldLower uint32) {
	if !k.totals {
		if d.upper == 0 || d.upper > oldUpper {
			d.Overloaded = false
		}
		return
	}
	if d.upper == oldUpper && d.lower == oldLower {
		return
	}
	switch {
	case d.upper == 0:
		d.Overloaded = false
	case d.total() >= d.upper:
		d.Overloaded = true
	case d.total() < d.floor():
		d.Overloaded = false
	}
}

// counted tells the scheduler that a server's counts changed.
func (k *Kernel) counted(d *dest) {
	if d.svc != nil {
		d.svc.group.Counted(&d.Server)
	}
}

package ipvsadm

import "strings"

// complete checks a request at its end, in the order in which ipvsadm does.
func (r *request) complete(first given) *Error {
	c := first.command
	switch {
	case len(r.rest) < c.words:
		return errorf("needs %d numbers: for TCP, for TCP after a FIN, and for UDP", c.words).
			says("--set option requires 3 timeout values").at(first.as, first.column)
	case c == &setTimeouts:
		if _, err := r.finishTimeouts(); err != nil {
			return err
		}
	}
	if len(r.rest) > c.words {
		w := r.rest[c.words]
		return errorf("%s does not belong to an option", quote(w.text)).says("unexpected argument %s", w.text).at(first.as, w.column)
	}
	if _, err := schedulerFlags(r.service.Scheduler, r.flagNames); err != nil {
		return err.at("-b", r.column(kindSchedulerFlags))
	}
	if err := r.fits(first); err != nil {
		return err
	}
	if c.check != nil {
		if err := c.check(r); err != nil {
			return err.at(first.as, first.column)
		}
	}
	return nil
}

// fits checks that the command has the options that it needs, and no others.
func (r *request) fits(first given) *Error {
	c := first.command
	missing, illegal := c.needs&^r.kinds, r.kinds&^(c.needs|c.may)
	wrong := missing | illegal
	clash, with := r.clash()
	kind := wrong & -wrong
	switch {
	case clash != 0 && (kind == 0 || clash < kind):
		return errorf("can list connections, timeouts, daemons or services, but only one of them").
			says("The option '%s' conflicts with the '%s' option in the '%s' command", kindName(clash), kindName(with), c.name).
			at(first.as, first.column)
	case kind&illegal != 0:
		return r.illegal.says("Illegal '%s' option with the '%s' command", kindName(kind), c.name)
	case kind == kindService:
		return errorf("needs a service").or("add -t, -u, --sctp-service or -f").
			says("You need to supply the 'service-address' option for the '%s' command", c.name).at(first.as, first.column)
	case kind == kindServer:
		return errorf("needs a real server").or("add -r").
			says("You need to supply the 'real-server' option for the '%s' command", c.name).at(first.as, first.column)
	}
	return nil
}

// clash returns the first of the options that exclude each other in a listing, and the
// one before it. Both are 0 if there is only one.
func (r *request) clash() (kind, with optionSet) {
	if r.command != &list {
		return 0, 0
	}
	given := r.kinds & (kindConns | kindService | kindTimeouts | kindDaemons)
	with = given & -given
	given &^= with
	if given == 0 {
		return 0, 0
	}
	return given & -given, with
}

// listable refuses counts of what has none.
func (r *request) listable() *Error {
	special := r.kinds & (kindConns | kindTimeouts | kindDaemons)
	excluded := countOptions
	if special&kindConns == 0 {
		excluded |= kindPersistentConns
	}
	if special != 0 && r.has(excluded) {
		return errorf("a listing of connections, timeouts or daemons has no counts").says("options conflicts in the list command")
	}
	return nil
}

// kindNames are ipvsadm's names for kinds of options, where they are not the long option.
var kindNames = map[optionSet]string{
	kindService: "service-address",
	kindMode:    "forwarding-method",
}

func kindName(kind optionSet) string {
	if name := kindNames[kind]; name != "" {
		return name
	}
	for _, o := range options {
		if o.kind == kind {
			return o.long
		}
	}
	return ""
}

// badValues has what ipvsadm says of an argument that it cannot read, with %s for it.
var badValues = map[optionSet]string{
	kindService:    "illegal virtual server address[:port] specified",
	kindPersistent: "invalid timeout value `%s' specified",
	kindMask:       "illegal virtual server persistent mask specified",
	kindServer:     "illegal real server address[:port] specified",
	kindWeight:     "illegal weight specified",
	kindUpper:      "illegal u_threshold specified",
	kindLower:      "illegal l_threshold specified",
	kindTunnel:     "illegal tunnel type specified",
	kindTunnelPort: "illegal tunnel port specified",
	kindSyncID:     "illegal syncid specified",
	kindMaxLen:     "illegal sync-maxlen specified",
	kindGroup:      "invalid IPv4 mcast-group `%s'",
	kindPort:       "illegal mcast-port specified",
	kindTTL:        "illegal mcast-ttl specified",
}

// badValue returns what ipvsadm says of an argument that it cannot read.
func badValue(r *request, g given) string {
	switch {
	case g.command == &startDaemon:
		return "illegal start-daemon parameter specified"
	case g.command == &stopDaemon:
		return "illegal start_daemon specified"
	case g.long == "ipv6":
		return "-6 used before -f\n"
	case g.long == "fwmark-service":
		return "invalid fwmark value `" + g.value + "' specified"
	case g.kind == kindMask && r.service.ID.Is6():
		return "illegal ipv6 netmask specified"
	case g.kind == kindGroup && strings.Contains(g.value, ":"):
		return "invalid IPv6 mcast-group `" + g.value + "'"
	}
	return strings.Replace(badValues[g.kind], "%s", g.value, 1)
}

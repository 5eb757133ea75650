package lvs

import (
	"context"
	"net/netip"
	"slices"
	"time"

	"github.com/golvs/lvs/internal/simipvs"
)

// excerpt is a copy of what a host has for one flow.
type excerpt struct {
	*copier
	entries []ServiceEntry // that the flow can meet
	listed  []Connection   // of any flow
	own     *Connection    // the flow's; nil: none

	elsewhere simipvs.Elsewhere              // what was not copied
	doubtful  map[ServiceID][]netip.AddrPort // servers of which it does not show whether they are overloaded
}

// excerptOf copies the services that packets of a flow can meet, and connections that
// they may belong to.
func excerptOf(ctx context.Context, h *Host, f Flow) (*excerpt, error) {
	c, err := newCopier(ctx, h, SimOptions{})
	if err != nil {
		return nil, err
	}
	e := &excerpt{copier: c, doubtful: make(map[ServiceID][]netip.AddrPort)}
	if e.listed, err = h.wholeTable(ctx); err != nil {
		return nil, err
	}
	if e.elsewhere.Backup, err = h.runsBackup(ctx); err != nil {
		return nil, err
	}
	replies, vips := e.replies(f)
	all, err := h.client.snapshot(ctx, func(id ServiceID) bool { return f.meets(id, vips) })
	if err == nil {
		e.elsewhere.Services = slices.ContainsFunc(all, func(s ServiceEntry) bool { return s.ID.family == f.family() })
		e.entries = slices.DeleteFunc(all, func(s ServiceEntry) bool { return !f.meets(s.ID, vips) })
		err = c.table(ctx, e.entries)
	}
	if err != nil {
		return nil, err
	}
	e.restore(f, replies)
	return e, nil
}

// runsBackup reports whether a backup daemon runs, so that backup_only is in effect.
func (h *Host) runsBackup(ctx context.Context) (bool, error) {
	daemons, err := h.client.SyncDaemons(ctx)
	return slices.ContainsFunc(daemons, func(d SyncDaemon) bool { return d.Role == SyncBackup }), err
}

// replies returns the connections that have a packet of the flow for a reply, and
// the virtual addresses of the flow and of those.
func (e *excerpt) replies(f Flow) (those []Connection, vips []netip.Addr) {
	vips = []netip.Addr{f.VIP.Addr()}
	f = f.ofConnection()
	for _, c := range e.listed {
		if c.Protocol == f.Protocol && c.Client == f.VIP && (c.VIP == f.Client || c.Server == f.Client) {
			those = append(those, c)
			vips = append(vips, c.VIP.Addr())
		}
	}
	return those, vips
}

func (f Flow) family() uint16 { return familyOf(f.VIP.Addr()) }

// meets reports whether a service can have packets of a flow, or of connections by
// some virtual addresses. These may also be of any mark.
func (f Flow) meets(id ServiceID, vips []netip.Addr) bool {
	switch {
	case id.family != f.family():
		return false
	case id.mark != 0:
		return id.mark == f.FWMark || len(vips) > 1
	}
	return slices.Contains(vips, id.vip.Addr())
}

// restore copies connections and the counts of servers. The others count for conn_max
// only.
func (e *excerpt) restore(f Flow, replies []Connection) {
	k := e.to.kernel
	var templates []Connection
	for i, c := range e.listed {
		switch {
		case f.owns(c), f.awaits(c) && e.own == nil:
			e.own = &e.listed[i]
		case c.IsTemplate() && (c.Protocol == 0 || c.VIP.Addr() == f.VIP.Addr()):
			templates = append(templates, c)
		}
	}
	copied := toEntries(append(templates, replies...), nil)
	if e.own != nil {
		copied = append(copied, toEntries([]Connection{*e.own}, &f.FWMark)...)
	}
	lost := k.Restore(copied)
	e.elsewhere.Connections = len(e.listed) - len(copied) + len(lost)
	if i := len(copied) - 1; e.own != nil && slices.Contains(lost, i) {
		k.RestoreRemoved(copied[i])
		e.elsewhere.Connections--
	}
	k.SetElsewhere(e.elsewhere)
	for _, entry := range e.entries {
		for _, s := range entry.RealServers {
			if k.Recount(entry.ID.toName(), s.Addr, s.counts()) {
				e.doubtful[entry.ID] = append(e.doubtful[entry.ID], s.Addr)
			}
		}
	}
}

// owners returns the servers in the table that a connection or a template may be
// of. The mark of its packets is nil if it is not known.
func (e *excerpt) owners(c Connection, mark *uint32) []simipvs.Owner {
	return e.to.kernel.Owners(toEntries([]Connection{c}, mark))[0]
}

// accounts reports whether servers have at least as many connections of a kind as
// are listed that may be theirs. Then none of these can be of a server that was
// removed.
func (e *excerpt) accounts(owners []simipvs.Owner, kind func(Connection) bool, count func(RealServerStatus) int) bool {
	var have int
	for _, entry := range e.entries {
		for _, s := range entry.RealServers {
			if slices.Contains(owners, simipvs.Owner{Service: entry.ID.toName(), Server: s.Addr}) {
				have += count(s)
			}
		}
	}
	addr := owners[0].Server.Addr()
	listed := 0
	alike := slices.DeleteFunc(slices.Clone(e.listed), func(c Connection) bool { return c.Server.Addr() != addr || !kind(c) })
	for _, may := range e.to.kernel.Owners(toEntries(alike, nil)) {
		if slices.ContainsFunc(may, func(o simipvs.Owner) bool { return slices.Contains(owners, o) }) {
			listed++
		}
	}
	return listed <= have
}

// ofConnection returns the flow that has the connection that IPVS looks for: packets of
// IPsec are of that by which keys are exchanged.
func (f Flow) ofConnection() Flow {
	const isakmp = 500
	if f.Protocol == ProtocolESP || f.Protocol == ProtocolAH && f.VIP.Addr().Is4() {
		f.Protocol = ProtocolUDP
		f.Client, f.VIP = netip.AddrPortFrom(f.Client.Addr(), isakmp), netip.AddrPortFrom(f.VIP.Addr(), isakmp)
	}
	return f
}

// owns reports whether a connection is that of the flow.
func (f Flow) owns(c Connection) bool {
	f = f.ofConnection()
	return c.Protocol == f.Protocol && c.Client == f.Client && c.VIP == f.VIP
}

// awaits reports whether a connection waits for the first packet of the flow: data of FTP.
func (f Flow) awaits(c Connection) bool {
	return c.Client.Port() == 0 && !c.IsTemplate() && c.Protocol == f.Protocol && c.Client.Addr() == f.Client.Addr() && c.VIP == f.VIP
}

func (c Connection) isOwn() bool { return !c.IsTemplate() }

// isEnding reports whether an entry ends within a second. It lasts longer if packets
// come, and a template as long as it has connections.
func (c *Connection) isEnding() bool { return c.Expires < time.Second }

func (s RealServerStatus) connections() int { return s.ActiveConns + s.InactiveConns }

func (s RealServerStatus) templates() int { return s.PersistentConns }

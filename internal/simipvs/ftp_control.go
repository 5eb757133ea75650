package simipvs

import (
	"fmt"
	"slices"
	"strings"
)

// ftpHelper is what a kernel has that loaded ip_vs_ftp. It follows the control
// connections of NAT that have one of its ports, and opens the data connections that
// client and server agree on.
type ftpHelper struct {
	ports    []uint16 // nil: not loaded
	controls map[connID]*ftpControl
	counts   map[uint16]int // of control connections, by port
}

// ftpControl is what the helper knows of a control connection.
type ftpControl struct {
	mode  ftpMode
	shift shift // of what the server sends
	numbers
	port uint16
}

// ftpStep is what a packet of a control connection does.
type ftpStep struct {
	mode      ftpMode  // of the control connection from then on
	data      *ftpData // that the packet opens; nil: none
	rewritten string   // what the client gets instead of Packet.Data; "": the same
}

// LoadFTP loads the helper for FTP, which does not follow the connections that there are.
// If it is loaded already, nothing happens.
func (k *Kernel) LoadFTP() {
	k.lock()
	defer k.mu.Unlock()
	if k.ftp.ports != nil {
		return
	}
	k.ftp = ftpHelper{k.opts.FTPPorts, make(map[connID]*ftpControl), make(map[uint16]int)}
	if len(k.ftp.ports) == 0 {
		k.ftp.ports = []uint16{ftpPort}
	}
}

// helps reports whether the helper follows a new connection. It counts templates too.
func (h *ftpHelper) helps(c *conn) bool {
	return h.ports != nil && c.protocol == protoTCP && c.method == methodMasq && slices.Contains(h.ports, c.vport)
}

func (h *ftpHelper) begin(id connID, c *conn) {
	h.controls[id] = &ftpControl{port: c.vport}
	h.counts[c.vport]++
}

func (h *ftpHelper) end(id connID) {
	h.counts[h.controls[id].port]--
	delete(h.controls, id)
}

// help lets the helper look at a packet of a control connection. It needs netfilter's
// entry of the connection to rewrite a packet, and drops it if there is none.
func (k *Kernel) help(d *decision, p *Packet) {
	c := d.conn
	r := ftpReader{uint32(c.family), k.opts.Release.ChecksFTPNumbers()}
	text := strings.Clone(p.Data) // what keeps a part of a packet would move all packets to the heap
	switch {
	case d.effect == effectReply && State(c.state) == tcpEstablished:
		d.ftp = k.readReply(d, r, text)
	case d.effect != effectReply && k.stateAfter(c, p, fromClient) == tcpEstablished:
		d.ftp = k.readCommand(d, r, text)
	}
	switch step := d.ftp; {
	case step == nil || step.data == nil:
		return
	case step.data.known == 0 && k.full(d.effect.opens()):
		d.action, d.reason = Dropped, TooMany
		if step.data = nil; d.effect == effectReply {
			d.ftp = nil
		}
	case d.effect == effectReply && !d.tracked && !d.begins:
		d.action, d.reason = Dropped, NotTracked
	default:
		return
	}
	if d.effect == effectReply {
		d.effect = effectStopped
	}
}

// opens returns how many connections a packet enters besides what a helper does.
func (f effect) opens() int { return btoi(f == effectOpening) }

// readCommand reads what a client sends; nil: nothing that matters.
func (k *Kernel) readCommand(d *decision, r ftpReader, text string) *ftpStep {
	switch mode, found := r.passive(text); {
	case found && mode != ftpActive:
		return &ftpStep{mode: mode}
	case found:
		return nil
	}
	to, ok := r.active(text)
	if !ok {
		return nil
	}
	return &ftpStep{data: k.activeData(d.conn, d.dest, to)}
}

// readReply reads what a server sends; nil: nothing that matters.
func (k *Kernel) readReply(d *decision, r ftpReader, text string) *ftpStep {
	mode := k.ftp.controls[d.met].mode
	to, ok := r.reply(text, mode)
	if !ok {
		return nil
	}
	data := k.passiveData(d, to)
	return &ftpStep{data: data, rewritten: text[:to.start] + k.toldAs(data, mode) + text[to.end:]}
}

// helped does what the helper decided about a packet of a control connection.
func (k *Kernel) helped(d *decision, id connID, p *Packet) {
	control := k.ftp.controls[id]
	if d.begins {
		control.shift, control.numbers = shift{}, numbers{} // they are the entry's, which is a new one
	}
	switch {
	case d.ignored:
		control.ignore(p, d.effect.direction())
	case d.tracked || d.begins:
		control.note(p, d.effect.direction())
	default:
		control.overshoot(p, d.effect.direction())
	}
	if step := d.ftp; step != nil {
		control.mode = step.mode
		if step.data != nil {
			k.openData(step.data, d.dest, id)
		}
		if step.rewritten != "" && d.tracked {
			control.shift.add(p.Seq, len(step.rewritten)-len(p.Data))
		}
	}
	if d.tracked || d.begins {
		d.rewrite = control.rewrite(d, p)
	}
}

// rewrite returns how a packet leaves; nil: as it came.
func (c *ftpControl) rewrite(d *decision, p *Packet) *Rewrite {
	changes := d.ftp != nil && d.ftp.rewritten != ""
	if !changes && c.shift == (shift{}) {
		return nil
	}
	r := &Rewrite{Data: strings.Clone(p.Data), Changed: changes, Seq: p.Seq}
	if changes {
		r.Data = d.ftp.rewritten
	}
	if d.effect == effectReply {
		r.Seq = c.shift.sent(p.Seq)
	} else {
		r.acks = c.shift
	}
	return r
}

// actFTP does what FTP needs besides what each packet does.
func (k *Kernel) actFTP(d *decision, id connID, p *Packet) {
	c := d.conn
	if c.is(connAwaited) && c.method == methodMasq && d.effect.direction() == fromClient {
		k.arrive(id, c, p.Source.Port())
	}
	if c.is(connForeign) {
		d.foreign = k.foreign[id]
	}
	if c.is(connHelped) {
		k.helped(d, id, p)
	}
}

// unbindFTP forgets what FTP has about a connection.
func (k *Kernel) unbindFTP(id connID, c *conn) {
	if c.is(connHelped) {
		k.ftp.end(id)
	}
	if c.is(connAwaited) {
		k.awaited--
	}
	if c.is(connForeign) {
		k.forgetNATServer(k.foreign[id].Addr().As16())
		delete(k.foreign, id)
	}
}

// listApps lists the ports of the helper, each with the number of its connections, the
// last one first.
func (k *Kernel) listApps() []byte {
	b := []byte("prot port    usecnt name\n")
	for _, port := range slices.Backward(k.ftp.ports) {
		b = fmt.Appendf(b, "TCP  %-7d %-6d %-17s\n", port, k.ftp.counts[port], "ftp")
	}
	return b
}

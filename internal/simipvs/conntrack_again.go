package simipvs

// A client's packet that NAT forwards passes netfilter a second time, with its new
// destination. What netfilter knew the first time, it ignores then. What it considered
// invalid it looks at again: the packet may belong to another entry, or begin one.

// looksAgain reports whether netfilter looks at a packet again. One of SCTP has no entry
// then either: its verification tag is still unknown.
func (d *decision) looksAgain(begun track) bool {
	return d.action == Forwarded && d.conn.protocol != protoSCTP && d.conn.is(connTracked) && d.conn.method == methodMasq && !d.tracked && begun.state == trackNone
}

// translated are the ends of a client's packet behind NAT.
func (k *Kernel) translated(d *decision, e *ends) ends {
	behind := k.replyTo(e, d)
	return behind.reversed()
}

// decideAgain drops a packet whose entry would have the packets of another.
func (k *Kernel) decideAgain(d *decision, p *Packet, e *ends) {
	behind := k.translated(d, e)
	begun, _ := k.begins(p, &behind)
	reply := behind.reversed()
	if begun.state != trackNone {
		k.dropClash(d, &behind, &reply)
	}
}

// commitAgain lets netfilter look at a packet again.
func (k *Kernel) commitAgain(d *decision, p *Packet, e *ends) {
	behind := k.translated(d, e)
	if begun := k.track(p, &behind); begun.state != trackNone && !d.clashes {
		k.conntrack.enter(&behind, begun, behind.reversed(), k.now)
	}
}

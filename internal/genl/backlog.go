package genl

// backlog counts the calls that were given up and have not come back, and lets
// others wait while there are as many as its limit. The Conn's lock guards it.
type backlog struct {
	n, limit int
	receded  chan struct{} // not nil at the limit; closed when one comes back
}

func (b *backlog) add() {
	if b.n++; b.n == b.limit {
		b.receded = make(chan struct{})
	}
}

func (b *backlog) remove() {
	if b.n--; b.n == b.limit-1 {
		close(b.receded)
		b.receded = nil
	}
}

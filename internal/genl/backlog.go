package genl

// backlog counts the abandoned calls that have not returned, and makes others wait
// while they reach its limit. The Conn's lock guards it.
type backlog struct {
	n, limit int
	receded  chan struct{} // not nil at the limit; closed when one returns
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

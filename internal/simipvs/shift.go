package simipvs

// Rewrite is how a TCP packet leaves that a helper changed, or whose connection has
// packets that a helper changed.
type Rewrite struct {
	Data    string // behind the headers
	Changed bool   // Data is not what came
	Seq     uint32 // sequence number
	acks    shift
}

// Ack returns an acknowledgement, or an edge of a selective one, as it leaves.
func (r *Rewrite) Ack(number uint32) uint32 { return r.acks.acknowledged(number) }

// shift is by how much the sequence numbers of one side differ from those that the other
// side gets, because packets were made longer or shorter.
type shift struct {
	at            uint32 // the last packet that was changed; those behind it have the new difference
	before, after uint32
}

// add notes that a packet grew.
func (s *shift) add(seq uint32, bytes int) {
	if bytes == 0 || s.before != s.after && !isAfter(seq, s.at) {
		return
	}
	s.at, s.before, s.after = seq, s.after, s.after+uint32(bytes)
}

// sent returns the sequence number of a packet as the other side gets it.
func (s *shift) sent(seq uint32) uint32 {
	if isAfter(seq, s.at) {
		return seq + s.after
	}
	return seq + s.before
}

// acknowledged returns the other side's acknowledgement as this side gets it.
func (s *shift) acknowledged(ack uint32) uint32 {
	if isAfter(ack-s.before, s.at) {
		return ack - s.after
	}
	return ack - s.before
}

// expected returns the other side's acknowledgement as netfilter compares it with what
// this side sent. It looks for the difference at the number that came, so that it may
// take another one than acknowledged does.
func (s *shift) expected(ack uint32) uint32 {
	if isAfter(ack-1, s.at) {
		return ack - s.after
	}
	return ack - s.before
}

// isAfter compares sequence numbers, which wrap.
func isAfter(a, b uint32) bool { return int32(a-b) > 0 }

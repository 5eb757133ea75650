package ippacket

import "encoding/binary"

// Seq returns the sequence number of a TCP packet, which must have a header.
func (p *Packet) Seq() uint32 { return binary.BigEndian.Uint32(p.Payload()[4:]) }

// Ack returns the acknowledgement of a TCP packet, which must have a header.
func (p *Packet) Ack() uint32 { return binary.BigEndian.Uint32(p.Payload()[8:]) }

// Resequence gives a TCP packet another sequence number, and changes its
// acknowledgements: the one of its header, and the edges of those of its options.
func (p *Packet) Resequence(seq uint32, ack func(uint32) uint32) {
	b := p.Payload()
	p.setNumber(b[4:8], seq)
	const ackFlag = 0x10
	if p.TCPFlags()&ackFlag == 0 {
		return
	}
	p.setNumber(b[8:12], ack(binary.BigEndian.Uint32(b[8:])))
	for edges := selective(p.tcpOptions()); len(edges) >= 4; edges = edges[4:] {
		p.setNumber(edges[:4], ack(binary.BigEndian.Uint32(edges)))
	}
}

// setNumber changes a number of a TCP packet. Its checksum is updated, so a wrong one
// stays as wrong.
func (p *Packet) setNumber(at []byte, to uint32) {
	var old, now [4]byte
	copy(old[:], at)
	binary.BigEndian.PutUint32(now[:], to)
	copy(at, now[:])
	check := p.Payload()[16:18]
	binary.BigEndian.PutUint16(check, update(binary.BigEndian.Uint16(check), old[:], now[:]))
}

// tcpOptions returns what is between the header of a TCP packet and its data.
func (p *Packet) tcpOptions() []byte {
	b := p.Payload()
	length := int(b[12]>>4) * 4
	if length < 20 || length > len(b) {
		return nil
	}
	return b[20:length]
}

// selective returns the edges of selective acknowledgements among options.
func selective(options []byte) []byte {
	const end, pad, sack = 0, 1, 5
	for len(options) > 1 && options[0] != end {
		if options[0] == pad {
			options = options[1:]
			continue
		}
		length := int(options[1])
		if length < 2 || length > len(options) {
			return nil
		}
		if options[0] == sack {
			return options[2:length]
		}
		options = options[length:]
	}
	return nil
}

// SetData replaces what is behind the headers of a TCP packet. Its checksum is right
// then.
func (p *Packet) SetData(data string) {
	p.Bytes = append(p.Bytes[:len(p.Bytes)-len(p.Data())], data...)
	if p.Is4() {
		binary.BigEndian.PutUint16(p.Bytes[2:], uint16(len(p.Bytes)))
		fillHeaderChecksum(p.Bytes)
	} else {
		const header = 40
		binary.BigEndian.PutUint16(p.Bytes[4:], uint16(len(p.Bytes)-header))
	}
	p.FillChecksum()
}

package capture

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"iter"
	"net"
	"time"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/gopacket/gopacket/pcapgo"
)

// Packet is an IP packet of a capture.
type Packet struct {
	Number   int       // of the record in the file, from 1 on; others are not of IP
	Time     time.Time // when it was captured
	IP       []byte    // the packet, from its IP header on
	Missing  int       // bytes at the end of IP that were not captured; they are zero there
	Outgoing bool      // the host that captured it sent it; false also if the file does not say

	// Destination is the hardware address that it was sent to, nil on links that have
	// none or do not show it.
	Destination net.HardwareAddr
}

// Read returns the IP packets in a file of the format pcap or pcapng, in its order. Records
// of other protocols are skipped. The links may be Ethernet, with VLANs or without, raw IP,
// loopback, and Linux's "any" in both versions. An error ends the packets: a broken file's,
// or one that matches [errors.ErrUnsupported] for another link.
func Read(r io.Reader) iter.Seq2[Packet, error] {
	return func(yield func(Packet, error) bool) {
		records, err := open(bufio.NewReader(r))
		if err != nil {
			yield(Packet{}, fmt.Errorf("capture: %w", err))
			return
		}
		for number := 1; ; number++ {
			rec, err := records()
			if err == nil {
				var p Packet
				var ok bool
				if p, ok, err = rec.packet(number); err == nil {
					if ok && !yield(p, nil) {
						return
					}
					continue
				}
			}
			if !errors.Is(err, io.EOF) {
				yield(Packet{}, fmt.Errorf("capture: record %d: %w", number, err))
			}
			return
		}
	}
}

// record is a packet as a file has it.
type record struct {
	link     layers.LinkType
	data     []byte
	at       time.Time
	outgoing bool
}

// notCapture is what all errors about the beginning of a file say.
const notCapture = "the file is not a capture in the format pcap or pcapng, such as tcpdump -w writes"

// open returns what reads the records of a file.
func open(r *bufio.Reader) (records func() (record, error), err error) {
	const ngBlock = 0x0a0d0d0a // begins a file of pcapng, whatever its byte order
	magic, err := r.Peek(4)
	if err != nil {
		return nil, fmt.Errorf("%s: it has fewer than four bytes: %w", notCapture, err)
	}
	if binary.BigEndian.Uint32(magic) == ngBlock {
		return openNG(r)
	}
	file, err := pcapgo.NewReader(r)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", notCapture, err)
	}
	return func() (record, error) {
		data, info, err := file.ReadPacketData()
		return record{link: file.LinkType(), data: data, at: info.Timestamp}, err
	}, nil
}

func openNG(r *bufio.Reader) (records func() (record, error), err error) {
	options := pcapgo.DefaultNgReaderOptions
	options.WantMixedLinkType = true
	file, err := pcapgo.NewNgReader(r, options)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", notCapture, err)
	}
	return func() (record, error) {
		data, info, about, err := file.ReadPacketDataWithOptions()
		if err != nil {
			return record{}, err
		}
		rec := record{data: data, at: info.Timestamp, link: file.LinkType()}
		if len(info.AncillaryData) > 0 {
			rec.link, _ = info.AncillaryData[0].(layers.LinkType)
		}
		rec.outgoing = about.Flags != nil && about.Flags.Direction == pcapgo.NgEpbFlagDirectionOutbound
		return rec, nil
	}, nil
}

// packet returns the IP packet in a record, and false if there is none.
func (rec record) packet(number int) (p Packet, ok bool, err error) {
	p = Packet{Number: number, Time: rec.at, Outgoing: rec.outgoing}
	p.IP, err = p.unwrap(rec.link, rec.data)
	if err != nil || !p.complete() {
		return Packet{}, false, err
	}
	return p, true, nil
}

// unwrap removes the headers of the link, and notes what they say. It returns nothing for
// what is not IP.
func (p *Packet) unwrap(link layers.LinkType, data []byte) (ip []byte, err error) {
	var next layers.EthernetType
	var layer interface {
		DecodeFromBytes([]byte, gopacket.DecodeFeedback) error
		LayerPayload() []byte
	}
	switch link {
	case layers.LinkTypeRaw, layers.LinkTypeIPv4, layers.LinkTypeIPv6:
		return data, nil
	case layers.LinkTypeEthernet:
		layer = new(layers.Ethernet)
	case layers.LinkTypeLinuxSLL:
		layer = new(layers.LinuxSLL)
	case layers.LinkTypeLinuxSLL2:
		layer = new(layers.LinuxSLL2)
	case layers.LinkTypeNull, layers.LinkTypeLoop:
		layer = new(layers.Loopback)
	default:
		return nil, fmt.Errorf("packets of the link %s: %w", link, errors.ErrUnsupported)
	}
	if layer.DecodeFromBytes(data, gopacket.NilDecodeFeedback) != nil {
		return nil, nil
	}
	switch l := layer.(type) {
	case *layers.Ethernet:
		p.Destination, next = l.DstMAC, l.EthernetType
	case *layers.LinuxSLL:
		p.Outgoing, next = p.Outgoing || l.PacketType == layers.LinuxSLLPacketTypeOutgoing, l.EthernetType
	case *layers.LinuxSLL2:
		p.Outgoing, next = p.Outgoing || l.PacketType == layers.LinuxSLL2PacketTypeOutgoing, l.ProtocolType
	case *layers.Loopback:
		return layer.LayerPayload(), nil
	}
	return withoutVLAN(next, layer.LayerPayload()), nil
}

// withoutVLAN removes the tags of VLANs. It returns nothing for what is not IP.
func withoutVLAN(next layers.EthernetType, data []byte) []byte {
	for next == layers.EthernetTypeDot1Q || next == layers.EthernetTypeQinQ {
		var tag layers.Dot1Q
		if tag.DecodeFromBytes(data, gopacket.NilDecodeFeedback) != nil {
			return nil
		}
		next, data = tag.Type, tag.Payload
	}
	if next != layers.EthernetTypeIPv4 && next != layers.EthernetTypeIPv6 {
		return nil
	}
	return data
}

// complete makes the packet as long as its header says: a link pads short ones, and files
// have the beginning of long ones. It reports false if the header is cut off.
func (p *Packet) complete() bool {
	const header4, header6 = 20, 40
	length := 0
	switch {
	case len(p.IP) >= header4 && p.IP[0]>>4 == 4:
		length = int(binary.BigEndian.Uint16(p.IP[2:]))
	case len(p.IP) >= header6 && p.IP[0]>>4 == 6:
		length = header6 + int(binary.BigEndian.Uint16(p.IP[4:]))
	default:
		return false
	}
	if p.Missing = max(0, length-len(p.IP)); p.Missing > 0 {
		p.IP = append(p.IP, make([]byte, p.Missing)...)
	}
	if length >= header4 { // some cards leave 0 for the length of what they will cut
		p.IP = p.IP[:length]
	}
	return true
}

package health

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"strings"

	"golang.org/x/net/dns/dnsmessage"
)

// DNS asks a name server a question.
type DNS struct {
	Port uint16 `json:"port"` // 0 is that of the target
	Name string `json:"name"` // the name to ask for, such as "example.org"; "" is the root

	// Type is that of the records that are asked for: A, AAAA, CNAME, DNSKEY, DS, MX, NS,
	// PTR, RRSIG, SOA, SRV or TXT; "" is A.
	Type string `json:"type"`

	// Expect is what one of the answers must be: an address, such as "10.1.0.1", for A and
	// AAAA; the text of a TXT, whose parts are joined; "name:port" for SRV; otherwise a
	// name, which is the primary name server for SOA. The case of names does not count. Any
	// answer is right with "", the only choice for DNSKEY, DS and RRSIG.
	Expect string `json:"expect"`

	// Empty accepts a message without an answer, or one that was cut off before it.
	Empty bool `json:"empty"`

	// Code is the response code that the server must give; "" is NOERROR. With another
	// one, such as NXDOMAIN, no answer is needed.
	Code string `json:"code"`

	// TCP asks by TCP. Otherwise it is used when the answer does not fit into a datagram.
	TCP bool `json:"tcp"`
}

var dnsTypes = map[string]dnsmessage.Type{
	"A": dnsmessage.TypeA, "AAAA": dnsmessage.TypeAAAA, "CNAME": dnsmessage.TypeCNAME, "MX": dnsmessage.TypeMX, "NS": dnsmessage.TypeNS,
	"PTR": dnsmessage.TypePTR, "SOA": dnsmessage.TypeSOA, "SRV": dnsmessage.TypeSRV, "TXT": dnsmessage.TypeTXT,
	"DS": 43, "RRSIG": 46, "DNSKEY": 48, // of RFC 4034
}

var dnsCodes = map[string]dnsmessage.RCode{
	"NOERROR": dnsmessage.RCodeSuccess, "FORMERR": dnsmessage.RCodeFormatError, "SERVFAIL": dnsmessage.RCodeServerFailure,
	"NXDOMAIN": dnsmessage.RCodeNameError, "NOTIMP": dnsmessage.RCodeNotImplemented, "REFUSED": dnsmessage.RCodeRefused,
}

// String returns "dns", the type and the name.
func (p DNS) String() string { return words("dns", p.kind(), p.fqdn(), port(p.Port)) }

func (p DNS) kind() string {
	if p.Type == "" {
		return "A"
	}
	return strings.ToUpper(p.Type)
}

// fqdn returns the name with the dot at its end.
func (p DNS) fqdn() string { return strings.TrimSuffix(p.Name, ".") + "." }

func (p DNS) code() string {
	if p.Code == "" {
		return "NOERROR"
	}
	return strings.ToUpper(p.Code)
}

func (p DNS) validate() error {
	if _, ok := dnsTypes[p.kind()]; !ok {
		return invalid("Type", "%q is not a type that can be asked for", p.Type)
	}
	if _, ok := dnsCodes[p.code()]; !ok {
		return invalid("Code", "%q is not a response code", p.Code)
	}
	switch kind := p.kind(); {
	case p.Expect == "":
	case p.Empty:
		return invalid("Empty", "accepts any answer, so that Expect has no effect")
	case p.code() != "NOERROR":
		return invalid("Expect", "must be empty, because an answer with the code %s has no records to compare", p.code())
	case kind == "DS" || kind == "RRSIG" || kind == "DNSKEY":
		return invalid("Expect", "must be empty, because records of type %s are not compared", kind)
	}
	if addr, _ := netip.ParseAddr(p.Expect); p.Expect != "" && (p.kind() == "A" && !addr.Is4() || p.kind() == "AAAA" && (!addr.Is6() || addr.Zone() != "")) {
		return invalid("Expect", "%q is not an address of a record of type %s", p.Expect, p.kind())
	}
	if _, err := p.question(0); err != nil {
		return invalid("Name", "%q: %v", p.Name, err)
	}
	return nil
}

// question returns the message that asks.
func (p DNS) question(id uint16) ([]byte, error) {
	name, err := dnsmessage.NewName(p.fqdn())
	if err != nil {
		return nil, err
	}
	m := dnsmessage.Message{
		Header:    dnsmessage.Header{ID: id, RecursionDesired: true},
		Questions: []dnsmessage.Question{{Name: name, Type: dnsTypes[p.kind()], Class: dnsmessage.ClassINET}},
	}
	return m.Pack()
}

// Probe asks the question once.
func (p DNS) Probe(ctx context.Context, t Target) (Answer, error) {
	if !p.TCP {
		err := p.ask(ctx, t, "udp")
		if !errors.Is(err, errTruncated) {
			return Answer{}, err
		}
	}
	return Answer{}, p.ask(ctx, t, "tcp")
}

var errTruncated = errors.New("the answer was cut off")

func (p DNS) ask(ctx context.Context, t Target, network string) error {
	id := uint16(rand.Uint32())
	question, err := p.question(id)
	if err != nil {
		return err
	}
	conn, err := t.Dial(ctx, network, p.Port)
	if err != nil {
		return err
	}
	c := leash(ctx, conn)
	defer c.Close()
	exchange := exchangeDatagrams
	if network == "tcp" {
		exchange = exchangeStream
	}
	answer, err := exchange(c, question, id)
	if err != nil {
		return because(ctx, "ask", err)
	}
	return p.judge(answer)
}

// mostStrays is how many datagrams are read that answer another question.
const mostStrays = 100

// exchangeDatagrams sends a question, and reads until its answer comes: others may send
// datagrams too.
func exchangeDatagrams(c net.Conn, question []byte, id uint16) ([]byte, error) {
	if _, err := c.Write(question); err != nil {
		return nil, err
	}
	// Without an extension that permits more, answers of more than 512 bytes are cut off.
	buffer := make([]byte, 4096)
	for range mostStrays {
		n, err := c.Read(buffer)
		if err != nil {
			return nil, err
		}
		if n >= 2 && binary.BigEndian.Uint16(buffer) == id {
			return buffer[:n], nil
		}
	}
	return nil, fmt.Errorf("%d datagrams answer another question", mostStrays)
}

// exchangeStream sends a question behind its length, and reads an answer of the same
// form, which has at most 64 KiB.
func exchangeStream(c net.Conn, question []byte, id uint16) ([]byte, error) {
	if _, err := c.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(question))), question...)); err != nil {
		return nil, err
	}
	var length [2]byte
	if _, err := io.ReadFull(c, length[:]); err != nil {
		return nil, err
	}
	answer := make([]byte, binary.BigEndian.Uint16(length[:]))
	if _, err := io.ReadFull(c, answer); err != nil {
		return nil, err
	}
	if len(answer) < 2 || binary.BigEndian.Uint16(answer) != id {
		return nil, errors.New("the server answers another question")
	}
	return answer, nil
}

// judge looks for what is expected in an answer.
func (p DNS) judge(message []byte) error {
	var parser dnsmessage.Parser
	header, err := parser.Start(message)
	if err != nil {
		return fmt.Errorf("the answer is not one of DNS: %w", err)
	}
	switch want := dnsCodes[p.code()]; {
	case !header.Response:
		return errors.New("the server sends a question back")
	case header.Truncated && !p.Empty:
		return errTruncated
	case header.RCode != want:
		return fmt.Errorf("the response code is %s, not %s", codeName(header.RCode), p.code())
	case want != dnsmessage.RCodeSuccess:
		return nil
	}
	q, err := parser.Question()
	if err != nil {
		return fmt.Errorf("the answer does not repeat the question: %w", err)
	}
	if q.Type != dnsTypes[p.kind()] || !strings.EqualFold(q.Name.String(), p.fqdn()) {
		return fmt.Errorf("the server answers another question, %s %s", strings.TrimPrefix(q.Type.String(), "Type"), q.Name)
	}
	if err := parser.SkipAllQuestions(); err != nil {
		return fmt.Errorf("the answer is not one of DNS: %w", err)
	}
	if p.Empty {
		return nil
	}
	return p.find(&parser)
}

// find looks for the expected record.
func (p DNS) find(parser *dnsmessage.Parser) error {
	var seen []string
	for {
		r, err := parser.Answer()
		if errors.Is(err, dnsmessage.ErrSectionDone) {
			break
		}
		if err != nil {
			return fmt.Errorf("the answer is not one of DNS: %w", err)
		}
		if r.Header.Type != dnsTypes[p.kind()] {
			continue
		}
		text := recordText(r.Body)
		if p.Expect == "" || p.normal(text) == p.normal(p.Expect) {
			return nil
		}
		if len(seen) < 5 {
			seen = append(seen, text)
		}
	}
	if len(seen) == 0 {
		return fmt.Errorf("the answer has no record of type %s", p.kind())
	}
	return fmt.Errorf("the answer has %q, not %q", seen, p.Expect)
}

// normal returns a form in which texts of records are equal if they say the same.
func (p DNS) normal(text string) string {
	if p.kind() == "TXT" {
		return text
	}
	if addr, err := netip.ParseAddr(text); err == nil {
		return addr.String()
	}
	return strings.ToLower(strings.TrimSuffix(text, "."))
}

func codeName(code dnsmessage.RCode) string {
	for name, c := range dnsCodes {
		if c == code {
			return name
		}
	}
	return fmt.Sprint(uint16(code))
}

// recordText returns what a record says.
func recordText(body dnsmessage.ResourceBody) string {
	switch b := body.(type) {
	case *dnsmessage.AResource:
		return netip.AddrFrom4(b.A).String()
	case *dnsmessage.AAAAResource:
		return netip.AddrFrom16(b.AAAA).String()
	case *dnsmessage.CNAMEResource:
		return b.CNAME.String()
	case *dnsmessage.MXResource:
		return b.MX.String()
	case *dnsmessage.NSResource:
		return b.NS.String()
	case *dnsmessage.PTRResource:
		return b.PTR.String()
	case *dnsmessage.SOAResource:
		return b.NS.String()
	case *dnsmessage.SRVResource:
		return fmt.Sprintf("%s:%d", strings.TrimSuffix(b.Target.String(), "."), b.Port)
	case *dnsmessage.TXTResource:
		return strings.Join(b.TXT, "")
	}
	return ""
}

package health

import (
	"context"
	"encoding/binary"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/dns/dnsmessage"
)

// nameServer starts a name server that sends what reply returns for each question, by UDP
// and by TCP.
func nameServer(t *testing.T, reply func(network string, question dnsmessage.Message) [][]byte) Target {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	u, err := net.ListenPacket("udp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close(); u.Close() })
	go func() {
		b := make([]byte, 512)
		for {
			n, from, err := u.ReadFrom(b)
			if err != nil {
				return
			}
			var m dnsmessage.Message
			if m.Unpack(b[:n]) == nil {
				for _, answer := range reply("udp", m) {
					_, _ = u.WriteTo(answer, from)
				}
			}
		}
	}()
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			b := make([]byte, 512)
			n, _ := c.Read(b)
			var m dnsmessage.Message
			if n > 2 && m.Unpack(b[2:n]) == nil {
				for _, answer := range reply("tcp", m) {
					_, _ = c.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(answer))), answer...))
				}
			}
			go func() { _, _ = c.Read(b); c.Close() }()
		}
	}()
	addr := netip.MustParseAddrPort(l.Addr().String())
	return Target{Server: addr, Addr: addr}
}

// answerTo returns an answer to a question, with records.
func answerTo(question dnsmessage.Message, change func(*dnsmessage.Message), bodies ...dnsmessage.ResourceBody) []byte {
	m := dnsmessage.Message{Header: dnsmessage.Header{ID: question.ID, Response: true}, Questions: question.Questions}
	for _, body := range bodies {
		m.Answers = append(m.Answers, dnsmessage.Resource{
			Header: dnsmessage.ResourceHeader{Name: question.Questions[0].Name, Class: dnsmessage.ClassINET, TTL: 60}, Body: body})
	}
	if change != nil {
		change(&m)
	}
	packed, err := m.Pack()
	if err != nil {
		panic(err)
	}
	return packed
}

func TestDNS(t *testing.T) {
	a := &dnsmessage.AResource{A: [4]byte{10, 1, 0, 1}}
	mx := &dnsmessage.MXResource{MX: dnsmessage.MustNewName("mail.example.org.")}
	bomb := strings.Repeat("x", 255)
	for _, c := range []struct {
		name  string
		probe DNS
		reply func(network string, q dnsmessage.Message) [][]byte
		err   string // "" for none
	}{
		{"any answer", DNS{Name: "example.org"}, func(_ string, q dnsmessage.Message) [][]byte { return [][]byte{answerTo(q, nil, a)} }, ""},
		{"the expected one", DNS{Name: "example.org.", Expect: "10.1.0.1"}, func(_ string, q dnsmessage.Message) [][]byte { return [][]byte{answerTo(q, nil, a)} }, ""},
		{"a name, whatever its case", DNS{Name: "example.org", Type: "mx", Expect: "MAIL.example.org"},
			func(_ string, q dnsmessage.Message) [][]byte { return [][]byte{answerTo(q, nil, mx)} }, ""},
		{"an address written in another way", DNS{Name: "example.org", Type: "AAAA", Expect: "2001:DB8:0:0::1"}, func(_ string, q dnsmessage.Message) [][]byte {
			return [][]byte{answerTo(q, nil, &dnsmessage.AAAAResource{AAAA: netip.MustParseAddr("2001:db8::1").As16()})}
		}, ""},
		{"a text", DNS{Name: "example.org", Type: "TXT", Expect: "v=1 X."}, func(_ string, q dnsmessage.Message) [][]byte {
			return [][]byte{answerTo(q, nil, &dnsmessage.TXTResource{TXT: []string{"v=1", " X."}})}
		}, ""},
		{"a text in another case", DNS{Name: "example.org", Type: "TXT", Expect: "V=1"}, func(_ string, q dnsmessage.Message) [][]byte {
			return [][]byte{answerTo(q, nil, &dnsmessage.TXTResource{TXT: []string{"v=1"}})}
		}, `the answer has ["v=1"], not "V=1"`},
		{"a service", DNS{Name: "_sip._udp.example.org", Type: "SRV", Expect: "SIP.example.org:5060"}, func(_ string, q dnsmessage.Message) [][]byte {
			return [][]byte{answerTo(q, nil, &dnsmessage.SRVResource{Target: dnsmessage.MustNewName("sip.example.org."), Port: 5060})}
		}, ""},
		{"another answer", DNS{Name: "example.org", Expect: "10.1.0.2"},
			func(_ string, q dnsmessage.Message) [][]byte { return [][]byte{answerTo(q, nil, a)} }, `the answer has ["10.1.0.1"], not "10.1.0.2"`},
		{"no answer in it", DNS{Name: "example.org"}, func(_ string, q dnsmessage.Message) [][]byte { return [][]byte{answerTo(q, nil)} }, "no record of type A"},
		{"another type", DNS{Name: "example.org", Type: "AAAA"},
			func(_ string, q dnsmessage.Message) [][]byte { return [][]byte{answerTo(q, nil, a)} }, "no record of type AAAA"},
		{"no answer where none is needed", DNS{Name: "example.org", Empty: true}, func(_ string, q dnsmessage.Message) [][]byte { return [][]byte{answerTo(q, nil)} }, ""},
		{"cut off where no answer is needed", DNS{Name: "example.org", Empty: true}, func(network string, q dnsmessage.Message) [][]byte {
			if network == "tcp" {
				return nil
			}
			return [][]byte{answerTo(q, func(m *dnsmessage.Message) { m.Truncated = true })}
		}, ""},
		{"refused where no answer is needed", DNS{Name: "example.org", Empty: true}, func(_ string, q dnsmessage.Message) [][]byte {
			return [][]byte{answerTo(q, func(m *dnsmessage.Message) { m.RCode = dnsmessage.RCodeRefused })}
		}, "the response code is REFUSED, not NOERROR"},
		{"a key", DNS{Name: "example.org", Type: "dnskey"}, func(_ string, q dnsmessage.Message) [][]byte {
			return [][]byte{answerTo(q, nil, &dnsmessage.UnknownResource{Type: 48, Data: []byte{1, 1, 3, 13, 7}})}
		}, ""},
		{"a key of another type", DNS{Name: "example.org", Type: "RRSIG"}, func(_ string, q dnsmessage.Message) [][]byte {
			return [][]byte{answerTo(q, nil, &dnsmessage.UnknownResource{Type: 48, Data: []byte{1, 1, 3, 13, 7}})}
		}, "no record of type RRSIG"},
		{"refused", DNS{Name: "example.org"}, func(_ string, q dnsmessage.Message) [][]byte {
			return [][]byte{answerTo(q, func(m *dnsmessage.Message) { m.RCode = dnsmessage.RCodeRefused })}
		}, "the response code is REFUSED, not NOERROR"},
		{"a name that must not exist", DNS{Name: "example.org", Code: "nxdomain"}, func(_ string, q dnsmessage.Message) [][]byte {
			return [][]byte{answerTo(q, func(m *dnsmessage.Message) { m.RCode = dnsmessage.RCodeNameError })}
		}, ""},
		{"by TCP when it is cut off", DNS{Name: "example.org", Expect: "10.1.0.1"}, func(network string, q dnsmessage.Message) [][]byte {
			if network == "udp" {
				return [][]byte{answerTo(q, func(m *dnsmessage.Message) { m.Truncated = true })}
			}
			return [][]byte{answerTo(q, nil, a)}
		}, ""},
		{"cut off even by TCP", DNS{Name: "example.org", TCP: true}, func(_ string, q dnsmessage.Message) [][]byte {
			return [][]byte{answerTo(q, func(m *dnsmessage.Message) { m.Truncated = true })}
		}, "cut off"},
		{"behind answers to others", DNS{Name: "example.org"}, func(_ string, q dnsmessage.Message) [][]byte {
			stray := answerTo(q, func(m *dnsmessage.Message) { m.ID++ })
			return [][]byte{stray, {1}, stray, answerTo(q, nil, a)}
		}, ""},
		{"of another name", DNS{Name: "example.org"}, func(_ string, q dnsmessage.Message) [][]byte {
			return [][]byte{answerTo(q, func(m *dnsmessage.Message) {
				m.Questions = []dnsmessage.Question{{Name: dnsmessage.MustNewName("example.com."), Type: dnsmessage.TypeA, Class: dnsmessage.ClassINET}}
			}, a)}
		}, "answers another question, A example.com."},
		{"a name whose letters have another case", DNS{Name: "Example.org"}, func(_ string, q dnsmessage.Message) [][]byte {
			return [][]byte{answerTo(q, func(m *dnsmessage.Message) { m.Questions[0].Name = dnsmessage.MustNewName("eXample.org.") }, a)}
		}, ""},
		{"a flood of answers to others", DNS{Name: "example.org"}, func(_ string, q dnsmessage.Message) [][]byte {
			return slices.Repeat([][]byte{answerTo(q, func(m *dnsmessage.Message) { m.ID++ })}, mostStrays+10)
		}, "100 datagrams answer another question"},
		{"a name that points to itself", DNS{Name: "example.org", Type: "MX"}, func(_ string, q dnsmessage.Message) [][]byte {
			all := answerTo(q, nil, mx)
			at := len(all) - 2 // the pointer to the name of the question
			all[at], all[at+1] = 0xc0, byte(at)
			return [][]byte{all}
		}, "not one of DNS"},
		{"a question back", DNS{Name: "example.org"}, func(_ string, q dnsmessage.Message) [][]byte {
			return [][]byte{answerTo(q, func(m *dnsmessage.Message) { m.Response = false })}
		}, "sends a question back"},
		{"an answer of 64 KiB", DNS{Name: "example.org", TCP: true, Type: "TXT", Expect: "the end"}, func(_ string, q dnsmessage.Message) [][]byte {
			var all []dnsmessage.ResourceBody
			for range 240 {
				all = append(all, &dnsmessage.TXTResource{TXT: []string{bomb}})
			}
			return [][]byte{answerTo(q, nil, append(all, &dnsmessage.TXTResource{TXT: []string{"the end"}})...)}
		}, ""},
		{"half an answer", DNS{Name: "example.org"}, func(_ string, q dnsmessage.Message) [][]byte {
			all := answerTo(q, nil, a)
			return [][]byte{all[:len(all)-3]}
		}, "not one of DNS"},
		{"silence", DNS{Name: "example.org"}, func(string, dnsmessage.Message) [][]byte { return nil }, "deadline exceeded"},
		{"silence by TCP", DNS{Name: "example.org", TCP: true}, func(string, dnsmessage.Message) [][]byte { return nil }, "deadline exceeded"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if err := c.probe.validate(); err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), patienceFor(c.err))
			defer cancel()
			_, err := c.probe.Probe(ctx, nameServer(t, c.reply))
			if (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
				t.Errorf("error %v, want %q", err, c.err)
			}
		})
	}
}

func TestDNSValidate(t *testing.T) {
	for _, c := range []struct {
		probe DNS
		field string
	}{
		{DNS{Type: "AXFR"}, "Type"},
		{DNS{Code: "maybe"}, "Code"},
		{DNS{Code: "NXDOMAIN", Expect: "10.1.0.1"}, "Expect"},
		{DNS{Expect: "example.org"}, "Expect"},
		{DNS{Expect: "2001:db8::1"}, "Expect"},
		{DNS{Type: "aaaa", Expect: "10.1.0.1"}, "Expect"},
		{DNS{Type: "AAAA", Expect: "fe80::1%eth0"}, "Expect"},
		{DNS{Type: "dnskey", Expect: "x"}, "Expect"},
		{DNS{Type: "DS", Expect: "x"}, "Expect"},
		{DNS{Type: "RRSIG", Expect: "x"}, "Expect"},
		{DNS{Empty: true, Expect: "10.1.0.1"}, "Empty"},
		{DNS{Name: "a..b"}, "Name"},
		{DNS{Name: strings.Repeat("a", 64) + ".org"}, "Name"},
		{DNS{Name: strings.Repeat("a.", 128)}, "Name"},
	} {
		checkField(t, c.probe.validate(), c.field)
	}
	for _, good := range []DNS{{}, {Name: "."}, {Type: "AAAA", Expect: "2001:db8::1"}, {Type: "PTR", Expect: "a.example.org."}} {
		if err := good.validate(); err != nil {
			t.Errorf("%+v: %v", good, err)
		}
	}
}

func FuzzDNS(f *testing.F) {
	q := dnsmessage.Message{Header: dnsmessage.Header{ID: 1}, Questions: []dnsmessage.Question{{Name: dnsmessage.MustNewName("a."), Type: dnsmessage.TypeA, Class: dnsmessage.ClassINET}}}
	f.Add(answerTo(q, nil, &dnsmessage.AResource{A: [4]byte{10, 1, 0, 1}}))
	f.Add(answerTo(q, nil, &dnsmessage.TXTResource{TXT: []string{"a", "b"}}))
	f.Fuzz(func(t *testing.T, message []byte) {
		for _, p := range []DNS{{Name: "a"}, {Name: "a", Type: "TXT", Expect: "ab"}, {Name: "a", Code: "NXDOMAIN"}} {
			_ = p.judge(message)
		}
	})
}

package health

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"testing"
	"time"
)

// The bytes of an answer are limited before its body, and so are those of what comes before
// the answer.
func TestHTTP1Answers(t *testing.T) {
	for _, test := range []struct{ name, says, wrong string }{
		{"hints first", "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", ""},
		{"until the end", "HTTP/1.0 200 OK\r\n\r\nok", ""},
		{"another protocol", "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n", "the status is 101 Switching Protocols"},
		{"not HTTP", "hello\r\n", `GET /: malformed HTTP response "hello"`},
		{"no answer", "", "GET /: unexpected EOF"},
	} {
		t.Run(test.name, func(t *testing.T) {
			target := on(t, func(c net.Conn) {
				if _, err := http.ReadRequest(bufio.NewReader(c)); err == nil {
					_, _ = io.WriteString(c, test.says)
				}
			})
			_, err := HTTP{Contains: "ok"}.Probe(seconds(t, 10*time.Second), target)
			checkError(t, err, test.wrong)
		})
	}
	for name, serve := range map[string]func(net.Conn){"headers": badServers["floods headers"], "hints": badServers["floods 1xx"]} {
		t.Run(name+" without an end", func(t *testing.T) {
			_, err := HTTP{}.Probe(seconds(t, 10*time.Second), over(&pipes{serve: serve}))
			checkError(t, err, "GET /: the header of the answer has more than 64 KiB")
		})
	}
	t.Run("before it is asked", func(t *testing.T) {
		_, err := HTTP{}.Probe(seconds(t, 10*time.Second), over(&pipes{serve: flood("HTTP/1.1 200 OK\r\n\r\n", "x")}))
		checkError(t, err, "")
	})
}

// The request says that the connection is not kept, unless the probe has it say something else.
func TestHTTP1Connection(t *testing.T) {
	for name, headers := range map[string]map[string]string{"close": nil, "upgrade": {"Connection": "upgrade", "Upgrade": "x"}} {
		var got string
		servers := &pipes{serve: func(c net.Conn) {
			if req, err := http.ReadRequest(bufio.NewReader(c)); err == nil {
				got = req.Header.Get("Connection")
				_, _ = io.WriteString(c, "HTTP/1.1 204 No Content\r\n\r\n")
			}
		}}
		if _, err := (HTTP{Headers: headers}).Probe(seconds(t, 10*time.Second), over(servers)); err != nil || got != name {
			t.Errorf("Connection: %q, want %q; %v", got, name, err)
		}
	}
}

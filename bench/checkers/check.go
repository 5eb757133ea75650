//go:build linux

package main

import (
	"fmt"
	"net"
	"slices"
	"strings"
)

// check is how real servers are asked, and what they answer to that and to clients.
type check struct {
	name    string
	block   string // of keepalived.conf
	request string // "" if the server speaks first
	answer  string
}

var checks = []check{
	{"tcp", "TCP_CHECK {", "", "ok\n"},
	{"http", "HTTP_GET {\n      url {\n        path /\n        status_code 200\n      }",
		"GET / HTTP/1.0\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: close\r\n\r\nok\n"},
}

func checkOf(name string) (check, error) {
	i := slices.IndexFunc(checks, func(c check) bool { return c.name == name })
	if i < 0 {
		return check{}, fmt.Errorf("no check is called %q", name)
	}
	return checks[i], nil
}

// configuration is what the contenders read.
func (c check) configuration(servers int) string {
	var b strings.Builder
	fmt.Fprintf(&b, "global_defs {\n  checker_log_all_failures\n}\nvirtual_server %s %d {\n  delay_loop 1\n  lvs_sched rr\n  lvs_method NAT\n  protocol TCP\n", vip.Addr(), vip.Port())
	for i := range servers {
		fmt.Fprintf(&b, "  real_server %s %d {\n    weight 1\n    inhibit_on_failure\n    %s\n      connect_timeout 1\n      retry 2\n      delay_before_retry 1\n    }\n  }\n",
			rip(i).Addr(), rip(i).Port(), c.block)
	}
	b.WriteString("}\n")
	return b.String()
}

// serve answers one connection. An answer to a request ends what the server says, which
// keepalived waits for.
func (c check) serve(conn *net.TCPConn) {
	if c.request == "" {
		_, _ = conn.Write([]byte(c.answer))
		return
	}
	if _, err := conn.Read(make([]byte, 1024)); err == nil {
		_, _ = conn.Write([]byte(c.answer))
		_ = conn.CloseWrite()
	}
}

// ask asks as a client, and waits for the first bytes of the answer.
func (c check) ask(conn net.Conn) error {
	if _, err := conn.Write([]byte(c.request)); err != nil {
		return err
	}
	_, err := conn.Read(make([]byte, 3))
	return err
}

// Capture prints the golden bytes of package wire: the requests of ipvsadm and the
// kernel's replies. It runs as root in a kernel whose IPVS table no other program
// uses:
//
//	CGO_ENABLED=0 go build -o /tmp/capture ./internal/wire/capture
//	go run ./cmd/lvs-kernel 6.12 -- /tmp/capture requests > internal/wire/testdata/requests.txt
//	go run ./cmd/lvs-kernel 6.12 -- /tmp/capture replies > internal/wire/testdata/replies-6.12.txt
//
// It listens on an nlmon device, which shows every netlink message of the
// machine.
package main

import (
	"encoding/binary"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// setup prepares the machine; its messages are not shown.
var setup = []string{
	"ip link add nlmon0 type nlmon",
	"ip link set nlmon0 up",
	"ip link add eth0 type dummy",
	"ip link set eth0 up multicast on",
	"ip addr add 10.168.0.90/24 dev eth0",
	"ip addr add 2001:db8::90/64 dev eth0 nodad",
	"modprobe ip_vs",
}

// commands are run one after the other; the listing at the end makes the
// kernel show all that they left.
var commands = []string{
	"ipvsadm -A -t 10.168.0.91:80 -s rr",
	"ipvsadm -A -t 192.168.0.11:80 -s lc -p 300",
	"ipvsadm -A -u 192.0.2.12:5060 -s wrr -p 60 -M 255.255.255.0 --pe sip",
	"ipvsadm -A -u 192.0.2.12:53 -s rr -o",
	"ipvsadm -A --sctp-service 192.0.2.13:36412 -s wlc",
	"ipvsadm -A -t [2001:db8::1]:443 -s mh -b mh-fallback,mh-port",
	"ipvsadm -A -f 7 -s sh -b sh-port",
	"ipvsadm -A -f 8 -6 -s sh -p 300 -M 64",
	"ipvsadm -E -t 10.168.0.91:80 -s wrr",
	"ipvsadm -a -t 10.168.0.91:80 -r 10.168.0.94:80 -g -w 1",
	"ipvsadm -a -t 10.168.0.91:80 -r 10.168.0.95:80 -g -w 1 -x 100 -y 50",
	"ipvsadm -a -t 192.168.0.11:80 -r 10.168.0.94:8080 -m -w 1",
	"ipvsadm -a -t 192.168.0.11:80 -r 10.168.0.95 -i -w 2",
	"ipvsadm -a -t 192.168.0.11:80 -r 10.168.0.96 -i --tun-type gue --tun-port 6080 --tun-csum",
	"ipvsadm -a -t 192.168.0.11:80 -r 10.168.0.97 -i --tun-type gre --tun-nocsum",
	"ipvsadm -a -t 192.168.0.11:80 -r [2001:db8::94]:80 -i",
	"ipvsadm -a -t [2001:db8::1]:443 -r [2001:db8::94]:443 -g",
	"ipvsadm -e -t 10.168.0.91:80 -r 10.168.0.94:80 -g -w 3",
	"ipvsadm -d -t 10.168.0.91:80 -r 10.168.0.95:80",
	"ipvsadm -d -t 192.168.0.11:80 -r [2001:db8::94]:80",
	"ipvsadm -D -u 192.0.2.12:53",
	"ipvsadm -Z -t 10.168.0.91:80",
	"ipvsadm -Z",
	"ipvsadm --set 900 120 301",
	"ipvsadm --start-daemon master --mcast-interface eth0 --syncid 5 --mcast-group 224.0.0.82 --mcast-port 8849 --mcast-ttl 2 --sync-maxlen 1000",
	"ipvsadm --start-daemon backup --mcast-interface eth0 --syncid 6 --mcast-group ff02::5",
	"ipvsadm -L --timeout",
	"ipvsadm -L --daemon",
	"ipvsadm -Ln",
	"ipvsadm --stop-daemon backup",
	"ipvsadm --stop-daemon master",
	"ipvsadm -C",
}

func main() {
	if len(os.Args) != 2 || os.Args[1] != "requests" && os.Args[1] != "replies" {
		fail("usage: capture requests|replies")
	}
	wantReplies := os.Args[1] == "replies"
	for _, c := range setup {
		run(c)
	}
	tap, err := openTap("nlmon0")
	if err != nil {
		fail("listening on nlmon0: %v", err)
	}
	for _, c := range commands {
		run(c)
		show(c, tap, wantReplies)
	}
}

// run runs a command; one that fails for lack of something (a server of
// another family while a daemon runs) must not go unnoticed.
func run(command string) {
	words := strings.Fields(command)
	if out, err := exec.Command(words[0], words[1:]...).CombinedOutput(); err != nil {
		fail("%s: %v\n%s", command, err, out)
	}
}

func show(command string, tap int, wantReplies bool) {
	fmt.Printf("# %s\n", command)
	family := ipvsFamily()
	for {
		datagram, err := receive(tap)
		if err != nil {
			break
		}
		showMessages(datagram, family, wantReplies)
	}
	fmt.Println()
}

// showMessages prints the requests or the replies of the IPVS family, without
// their netlink headers.
func showMessages(b []byte, family uint16, wantReplies bool) {
	for len(b) >= unix.NLMSG_HDRLEN {
		n := binary.NativeEndian.Uint32(b)
		request := binary.NativeEndian.Uint16(b[6:])&unix.NLM_F_REQUEST != 0
		if binary.NativeEndian.Uint16(b[4:]) == family && request != wantReplies {
			fmt.Printf("%x\n", b[unix.NLMSG_HDRLEN:n])
		}
		b = b[min(int(n+3)&^3, len(b)):]
	}
}

func openTap(device string) (int, error) {
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW, 0x0300) // ETH_P_ALL in network order
	if err != nil {
		return 0, err
	}
	var ifr *unix.Ifreq
	if ifr, err = unix.NewIfreq(device); err != nil {
		return 0, err
	}
	if err := unix.IoctlIfreq(fd, unix.SIOCGIFINDEX, ifr); err != nil {
		return 0, err
	}
	// A dump's datagrams are booked at 32 KiB each.
	if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, 16<<20); err != nil {
		return 0, err
	}
	timeout := unix.NsecToTimeval((200 * time.Millisecond).Nanoseconds())
	if err := unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &timeout); err != nil {
		return 0, err
	}
	return fd, unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: 0x0300, Ifindex: int(ifr.Uint32())})
}

// receive returns the next datagram of generic netlink, whoever sent it.
func receive(tap int) ([]byte, error) {
	const genericInBE = unix.NETLINK_GENERIC << 8
	b := make([]byte, 1<<16)
	for {
		n, from, err := unix.Recvfrom(tap, b, 0)
		if err != nil {
			return nil, err
		}
		if ll, ok := from.(*unix.SockaddrLinklayer); ok && ll.Protocol == genericInBE {
			return b[:n], nil
		}
	}
}

// ipvsFamily reads the family's number from what the controller tells genl.
func ipvsFamily() uint16 {
	out, err := exec.Command("genl", "ctrl", "get", "name", "IPVS").Output()
	if err != nil {
		fail("genl: %v", err)
	}
	_, rest, _ := strings.Cut(string(out), "ID: ")
	var id uint16
	if _, err := fmt.Sscanf(rest, "0x%x", &id); err != nil {
		fail("genl printed %q", out)
	}
	return id
}

func fail(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "capture: "+format+"\n", args...)
	os.Exit(1)
}

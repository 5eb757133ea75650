package dropin

// Difference is something that this package does otherwise than ipvsadm, on purpose.
type Difference struct {
	Name   string // of the test that shows it
	What   string // it does
	Reason string
}

// Differences are all of them.
var Differences = []Difference{
	{"restore-atomic", "-R and ipvsadm-restore change nothing if a line cannot be read",
		"ipvsadm leaves half a table, and ipvsadm-restore has cleared the old one by then"},
	{"restore-status", "-R exits with 255 if the kernel refuses a line, and names the command",
		"ipvsadm exits with the status of the last line, so a refused line before it is not noticed"},
	{"restore-comment", "-R accepts comments, which begin with #",
		"ipvsadm stops at one"},
	{"restore-prints", "-R ignores lines that only print, such as -L",
		"a restore prints nothing"},
	{"mark-negative", "-L and -S print firewall marks from 2147483648 on as they are, and -f reads negative ones",
		"ipvsadm prints them as negative numbers, which it does not read"},
	{"mark-hex", "-f reads hexadecimal marks, such as 0x10",
		"ip rule and nft print marks so"},
	{"mark-port", "the port of a real server behind a firewall mark is 0 without -m",
		"the kernel does not change ports there; ipvsadm adds such a server once for each port"},
	{"save-full", "-S --full also saves thresholds, timeouts, sync daemons and the order of real servers",
		"-S loses them; its own output stays as it is, because scripts read it"},
	{"vip-zero", "a VIP of 0.0.0.0 or :: is refused",
		"no packet is ever sent to it"},
	{"mapped", "an IPv4 address that is mapped into IPv6 is refused",
		"no packet has such an address"},
	{"engine-alone", "--pe without -p is refused",
		"the kernel ignores the engine"},
	{"mask-early", "a -M before the IPv6 service is refused",
		"ipvsadm reads it as an IPv4 mask, and ignores it"},
	{"short-address", "an IPv4 address or mask has four numbers",
		"ipvsadm reads 10.1 as 10.0.0.1, and the mask 24 as 0.0.0.24"},
	{"odd-names", "names of schedulers, engines and devices have letters, digits and -_.:@+ only, and at most 15",
		"no such module or device exists, and a longer name would be cut"},
	{"nosort", "-L --nosort lists services by their address, and only real servers newest first",
		"the place of a service in the kernel's hash table means nothing, and changes between namespaces"},
	{"no-kernel", "-h, -v and wrong options need no kernel and no root",
		"ipvsadm asks the kernel first, and hides the mistake"},
}

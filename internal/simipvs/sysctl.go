package simipvs

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"unicode"

	"github.com/golvs/lvs/internal/proctext"
	"github.com/golvs/lvs/internal/release"
	"github.com/golvs/lvs/internal/simipvs/sched"
)

// sysctls are the switches of a namespace: those that packets look at, and all
// of them by name.
type sysctls struct {
	expireNodestConn        int
	expireQuiescentTemplate int
	connReuseMode           int
	sloppyTCP               int
	sloppySCTP              int
	cacheBypass             int
	conntrack               int
	natICMPSend             int
	scheduleICMP            int
	secureTCP               int
	dropEntry               int
	dropPacket              int
	pmtuDisc                int
	amDroprate              int
	amemthresh              int // pages
	backupOnly              int
	runEstimation           int
	connMax                 int // -1: this release has no limit
	unprivilegedPortStart   int
	syncVersion             int
	syncPorts               int
	syncThreshold           int // packets
	syncPeriod              int // packets
	syncRefresh             int // seconds
	syncRetries             int
	syncPersistMode         int
	syncQueue               uint64 // messages
	lblcExpiration          int    // seconds, like the next
	lblcrExpiration         int

	byPath map[string]*sysctl
}

// sysctl is one switch.
type sysctl struct {
	value    *int
	min, max int
	check    func(value int) error // a rule of its own
	set      func(*Kernel, int)    // does more than to set value

	// Of one that is not a number of 32 bits: what it reads, and how it takes a text.
	text  string
	write func(c *sysctl, text string) error
}

// errInvalid is how the kernel refuses a value.
const errInvalid = syscall.EINVAL

const (
	vsFolder       = "/proc/sys/net/ipv4/vs/"
	portStartPath  = "/proc/sys/net/ipv4/ip_unprivileged_port_start"
	maxConnections = 1 << 30
	localPorts     = 32768 // where those begin that connections get
)

// newSysctls returns the switches that a release has, as it sets them.
func newSysctls(r release.Release) *sysctls {
	s := new(sysctls)
	s.connMax = -1
	s.byPath = make(map[string]*sysctl)
	number := func(name string, value, low, high int) *sysctl {
		c := &sysctl{value: new(int), min: low, max: high}
		*c.value = value
		s.byPath[vsFolder+name] = c
		return c
	}
	hot := func(name string, field *int, value, low, high int) *sysctl {
		c := number(name, value, low, high)
		c.value, *field = field, value
		return c
	}
	anyNumber := func(name string, value int) *sysctl { return number(name, value, math.MinInt32, math.MaxInt32) }
	hotNumber := func(name string, field *int, value int) *sysctl {
		return hot(name, field, value, math.MinInt32, math.MaxInt32)
	}
	text := func(name, value string, write func(*sysctl, string) error) {
		s.byPath[vsFolder+name] = &sysctl{text: value, write: write}
	}
	seconds := func(c *sysctl) { c.min, c.max = -math.MaxInt32/sched.HZ, math.MaxInt32/sched.HZ } // are kept in ticks
	defence := func(name string, mode *int) {
		hot(name, mode, defenceOff, defenceOff, defenceAlways).set = setDefence(mode)
	}

	hotNumber("am_droprate", &s.amDroprate, 10)
	hotNumber("amemthresh", &s.amemthresh, 1024)
	hotNumber("backup_only", &s.backupOnly, 0)
	hotNumber("cache_bypass", &s.cacheBypass, 0)
	hotNumber("conn_reuse_mode", &s.connReuseMode, 1)
	hotNumber("conntrack", &s.conntrack, 0)
	defence("drop_entry", &s.dropEntry)
	defence("drop_packet", &s.dropPacket)
	hotNumber("expire_nodest_conn", &s.expireNodestConn, 0)
	hotNumber("expire_quiescent_template", &s.expireQuiescentTemplate, 0)
	anyNumber("ignore_tunneled", 0)
	seconds(hotNumber("lblc_expiration", &s.lblcExpiration, 86400))
	seconds(hotNumber("lblcr_expiration", &s.lblcrExpiration, 86400))
	hotNumber("nat_icmp_send", &s.natICMPSend, 0)
	hotNumber("pmtu_disc", &s.pmtuDisc, 1)
	hotNumber("run_estimation", &s.runEstimation, 1).set = (*Kernel).setEstimation
	hotNumber("schedule_icmp", &s.scheduleICMP, 0)
	defence("secure_tcp", &s.secureTCP)
	hotNumber("sloppy_sctp", &s.sloppySCTP, 0)
	hotNumber("sloppy_tcp", &s.sloppyTCP, 0)
	anyNumber("snat_reroute", 1)
	hotNumber("sync_persist_mode", &s.syncPersistMode, 0)
	hot("sync_ports", &s.syncPorts, 1, 1, math.MaxInt32).check = powerOfTwo
	s.syncQueue = 16384
	text("sync_qlen_max", "16384", s.writeQueue)
	seconds(hotNumber("sync_refresh_period", &s.syncRefresh, 0))
	hot("sync_retries", &s.syncRetries, 0, 0, 3)
	anyNumber("sync_sock_size", 0)
	s.syncThreshold, s.syncPeriod = 3, 50
	text("sync_threshold", "3\t50", s.writeThreshold)
	hot("sync_version", &s.syncVersion, 1, 0, 1)
	if r.EstimatorThreads() {
		text("est_cpulist", "0", (*sysctl).writeProcessors)
		number("est_nice", 0, -20, 19)
	}
	if r.OwnTables() {
		number("conn_lfactor", -2, -8, 8)
		number("svc_lfactor", -2, -8, 8)
	}
	if r.HasConnMax() {
		most := hot("conn_max", &s.connMax, maxConnections, math.MinInt32, maxConnections)
		most.check = func(value int) error {
			if value < 0 && value != math.MinInt32 {
				return errInvalid
			}
			return nil
		}
		most.set = func(k *Kernel, value int) {
			if k.sysctl.connMax = value; value < 0 { // the least int stands for the limit
				k.sysctl.connMax = maxConnections
			}
		}
	}
	s.unprivilegedPortStart = 1024
	s.byPath[portStartPath] = &sysctl{value: &s.unprivilegedPortStart, max: localPorts}
	return s
}

func powerOfTwo(value int) error {
	if value&(value-1) != 0 {
		return errInvalid
	}
	return nil
}

// read returns the text of a switch.
func (c *sysctl) read() string {
	if c.value == nil {
		return c.text + "\n"
	}
	return strconv.Itoa(*c.value) + "\n"
}

// writeSysctl sets a switch as writing to its file does.
func (k *Kernel) writeSysctl(c *sysctl, text string) error {
	if c.write != nil {
		return c.write(c, text)
	}
	all, err := proctext.Ints(text, 1)
	if len(all) == 0 {
		return err
	}
	value := all[0]
	if value < c.min || value > c.max {
		return errInvalid
	}
	if c.check != nil {
		if err := c.check(value); err != nil {
			return err
		}
	}
	if c.set != nil {
		c.set(k, value)
		return nil
	}
	*c.value = value
	return nil
}

// writeQueue takes an unsigned number of 64 bits.
func (s *sysctls) writeQueue(c *sysctl, text string) error {
	all, err := proctext.Uints(text, 1)
	if len(all) > 0 {
		s.syncQueue, c.text = all[0], strconv.FormatUint(all[0], 10)
	}
	return err
}

// writeThreshold takes the first of two numbers, or both, even if something wrong
// follows them.
func (s *sysctls) writeThreshold(c *sysctl, text string) error {
	was := []int{s.syncThreshold, s.syncPeriod}
	all, err := proctext.Ints(text, 2)
	all = append(all, was[len(all):]...)
	threshold, period := all[0], all[1]
	if threshold < 0 || period < 0 || period != 0 && threshold >= period {
		return errInvalid
	}
	s.syncThreshold, s.syncPeriod = threshold, period
	c.text = fmt.Sprintf("%d\t%d", threshold, period)
	return err
}

// writeProcessors takes a list of processors. The simulated machine has one, which
// is 0.
func (c *sysctl) writeProcessors(text string) error {
	if text == "" {
		return nil
	}
	text, _, _ = strings.Cut(text, "\x00")
	list := ""
	for _, part := range strings.FieldsFunc(text, func(r rune) bool { return r == ',' || unicode.IsSpace(r) && r < 0x80 }) {
		first, last, isRange := strings.Cut(part, "-")
		if !isRange {
			last = first
		}
		for _, number := range []string{first, last} {
			if strings.Trim(number, "0123456789") != "" || number == "" {
				return errInvalid
			}
			if _, err := strconv.ParseUint(number, 10, 32); err != nil {
				return syscall.EOVERFLOW
			}
		}
		a, _ := strconv.ParseUint(first, 10, 32)
		switch b, _ := strconv.ParseUint(last, 10, 32); {
		case a > b, b == math.MaxUint32:
			return errInvalid
		case b > 0:
			return syscall.ERANGE
		}
		list = "0"
	}
	c.text = list
	return nil
}

// Sysctls returns the paths of the sysctls that the release has.
func (k *Kernel) Sysctls() []string { return slices.Sorted(maps.Keys(k.sysctl.byPath)) }

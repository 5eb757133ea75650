package lvs

import (
	"context"
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"github.com/golvs/lvs/internal/wire"
)

// SyncRole is what a sync daemon does: [SyncMaster] or [SyncBackup]. A director may
// run one of each. As text it reads "master" or "backup".
type SyncRole uint32

// The roles.
const (
	SyncMaster SyncRole = wire.DaemonMaster // sends the state of connections
	SyncBackup SyncRole = wire.DaemonBackup // receives it
)

// String returns the text form.
func (r SyncRole) String() string {
	switch r {
	case SyncMaster:
		return "master"
	case SyncBackup:
		return "backup"
	}
	return "role-" + strconv.FormatUint(uint64(r), 10)
}

// MarshalText returns the text form.
func (r SyncRole) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// UnmarshalText reads "master" or "backup". The error is of the kind
// [ErrInvalid].
func (r *SyncRole) UnmarshalText(text []byte) error {
	switch string(text) {
	case "master":
		*r = SyncMaster
	case "backup":
		*r = SyncBackup
	default:
		return invalid("role", "want master or backup").about(OpParse, strconv.Quote(string(text)))
	}
	return nil
}

func (r SyncRole) validate() *Error {
	if r != SyncMaster && r != SyncBackup {
		return invalid("Role", "%s is neither master nor backup", r)
	}
	return nil
}

// SyncDaemon is a kernel thread that copies the state of connections between
// directors, by multicast. A network namespace with a daemon cannot have real
// servers of another address family than their service's.
type SyncDaemon struct {
	Role SyncRole `json:"role" yaml:"role"` // [SyncMaster] or [SyncBackup]

	// Interface is the network interface that it sends or listens on.
	Interface string `json:"interface" yaml:"interface"`

	// SyncID tells groups of directors apart, 0 to 255: a backup takes its own
	// id only, and with 0 every id.
	SyncID uint32 `json:"syncID" yaml:"syncID"`

	// MaxLen is the largest UDP payload in bytes; 0 is what the interface
	// carries, at most 1472 for a master in IPv4.
	MaxLen uint16 `json:"maxLen,omitempty" yaml:"maxLen,omitempty"`

	// Group is the multicast address; not set, it is 224.0.0.81.
	Group netip.Addr `json:"group,omitzero" yaml:"group,omitempty"`

	// Port is the UDP port; 0 is 8848.
	Port uint16 `json:"port,omitempty" yaml:"port,omitempty"`

	// TTL is how many hops the packets go; 0 is 1.
	TTL uint8 `json:"ttl,omitempty" yaml:"ttl,omitempty"`
}

// Equal tells whether both say the same.
func (d SyncDaemon) Equal(other SyncDaemon) bool { return d == other }

// String shows the daemon in one line, such as "master on eth0 syncid 5".
func (d SyncDaemon) String() string {
	s := fmt.Sprintf("%s on %s syncid %d", d.Role, d.Interface, d.SyncID)
	if d.MaxLen != 0 {
		s += fmt.Sprintf(" maxlen %d", d.MaxLen)
	}
	if d.Group.IsValid() {
		s += fmt.Sprintf(" group %s", d.Group)
	}
	if d.Port != 0 {
		s += fmt.Sprintf(" port %d", d.Port)
	}
	if d.TTL != 0 {
		s += fmt.Sprintf(" ttl %d", d.TTL)
	}
	return s
}

func (d SyncDaemon) validate() *Error {
	if err := d.Role.validate(); err != nil {
		return err
	}
	switch {
	case d.Interface == "" || len(d.Interface) > wire.MaxInterfaceName || strings.ContainsAny(d.Interface, "\x00/ \t\n"):
		return invalid("Interface", "%q is not a name of 1 to %d characters", d.Interface, wire.MaxInterfaceName)
	case d.SyncID > 255:
		return invalid("SyncID", "%d is above 255, and packets carry 8 bits of it", d.SyncID)
	case d.Group.IsValid() && !d.Group.Unmap().IsMulticast():
		return invalid("Group", "%s is no multicast address", d.Group)
	case d.Group.Zone() != "":
		return invalid("Group", "%s has a zone; Interface says it", d.Group)
	}
	return nil
}

// StartSyncDaemon starts a sync daemon. [ErrExists]: one of that role runs already;
// [ErrInvalid]: there is no such interface, or there are real servers of another
// address family than their service's, or a master's interface has no way to the
// group: it is down, IPv6 is switched off, or it is lo and the group IPv6.
func (c *Client) StartSyncDaemon(ctx context.Context, d SyncDaemon) error {
	return c.do1(ctx, StartSyncDaemon(d))
}

// StopSyncDaemon stops the sync daemon of a role; [ErrNotFound]: none runs.
func (c *Client) StopSyncDaemon(ctx context.Context, r SyncRole) error {
	return c.do1(ctx, StopSyncDaemon(r))
}

// SyncDaemons returns the sync daemons that run, the master first, with what the
// kernel chose where it was asked to.
func (c *Client) SyncDaemons(ctx context.Context) ([]SyncDaemon, error) {
	return dump(ctx, c, call{op: OpListSyncDaemons}, command(wire.CmdGetDaemon), func(msg []byte) (SyncDaemon, error) {
		var w wire.Daemon
		err := wire.DecodeDaemon(msg, &w)
		return daemonFromWire(&w), err
	})
}

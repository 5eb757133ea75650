package lvs

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"net/netip"
	"strconv"
	"strings"

	"github.com/golvs/lvs/internal/wire"
)

// SyncRole is what a sync daemon does: [SyncMaster] or [SyncBackup]. A director can
// run one of each. The zero value is not a role.
//
// The text form is "master" or "backup".
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

// UnmarshalText parses "master" or "backup". Errors match [ErrInvalid].
func (r *SyncRole) UnmarshalText(text []byte) error {
	switch strings.ToLower(string(text)) {
	case "master":
		*r = SyncMaster
	case "backup":
		*r = SyncBackup
	default:
		return invalid("Role", "want master or backup").about(OpParse, strconv.Quote(string(text)))
	}
	return nil
}

func (r SyncRole) validate() *Error {
	if r != SyncMaster && r != SyncBackup {
		return invalid("Role", "%s is neither master nor backup", r)
	}
	return nil
}

// SyncDaemon is a kernel thread that copies the state of connections from one
// director to others, by multicast. While one runs, real servers must have the
// address family of their service.
type SyncDaemon struct {
	Role SyncRole `json:"role" yaml:"role"` // [SyncMaster] or [SyncBackup]

	// Interface is the network interface on which it sends or listens.
	Interface string `json:"interface" yaml:"interface"`

	// SyncID separates groups of directors, 0 to 255. A backup accepts messages
	// with its own ID only, or all if its ID is 0.
	SyncID int `json:"syncID" yaml:"syncID"`

	// MaxLen is the largest UDP payload in bytes, at most 65535; 0 is what the
	// interface can carry, at most 1472 for a master with an IPv4 group.
	MaxLen int `json:"maxLen,omitempty" yaml:"maxLen,omitempty"`

	// Group is the multicast address; the zero value is 224.0.0.81.
	Group netip.Addr `json:"group,omitzero" yaml:"group"`

	// Port is the UDP port; 0 is 8848.
	Port uint16 `json:"port,omitempty" yaml:"port,omitempty"`

	// TTL is the TTL or hop limit of the packets, at most 255; 0 is 1.
	TTL int `json:"ttl,omitempty" yaml:"ttl,omitempty"`
}

// Equal reports whether both are the same, as == does; see [ServiceID.Equal].
func (d SyncDaemon) Equal(other SyncDaemon) bool { return d == other }

// String returns the daemon in one line, such as "master on eth0 syncid 5".
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
	case d.Group.IsValid() && !d.Group.Unmap().IsMulticast():
		return invalid("Group", "%s is not a multicast address", d.Group)
	case d.Group.Zone() != "":
		return invalid("Group", "%s has a zone; set Interface instead", d.Group)
	}
	return cmp.Or(
		validateRange("SyncID", d.SyncID, 0, math.MaxUint8),
		validateRange("MaxLen", d.MaxLen, 0, math.MaxUint16),
		validateRange("TTL", d.TTL, 0, math.MaxUint8),
	)
}

// StartSyncDaemon starts a sync daemon. It returns [ErrExists] if one of that role
// is running, and [ErrInvalid] if the interface does not exist, if a real server has
// another address family than its service, or if a master's interface cannot reach the
// group: it is down, IPv6 is disabled on it, or it is lo and the group is IPv6.
func (c *Client) StartSyncDaemon(ctx context.Context, d SyncDaemon) error {
	return c.do1(ctx, StartSyncDaemon(d))
}

// StopSyncDaemon stops the sync daemon of a role. It returns [ErrNotFound] if none
// is running.
func (c *Client) StopSyncDaemon(ctx context.Context, r SyncRole) error {
	return c.do1(ctx, StopSyncDaemon(r))
}

// SyncDaemons returns the running sync daemons, the master first, with the values
// that the kernel chose for fields that were zero.
func (c *Client) SyncDaemons(ctx context.Context) ([]SyncDaemon, error) {
	return dump(ctx, c, call{op: OpListSyncDaemons}, command(wire.CmdGetDaemon), func(msg []byte) (SyncDaemon, error) {
		var w wire.Daemon
		err := wire.DecodeDaemon(msg, &w)
		return daemonFromWire(&w), err
	})
}

package ipvsadm

import (
	"net/netip"

	"github.com/golvs/lvs"
)

func (r *request) setRole(value string) *Error {
	switch value {
	case "master":
		r.daemon.Role = lvs.SyncMaster
	case "backup":
		r.daemon.Role = lvs.SyncBackup
	default:
		return errorf("%s is neither master nor backup", quote(value))
	}
	return nil
}

func (r *request) setSyncID(value string) (err *Error) {
	r.daemon.SyncID, err = number(value, 0, 255)
	return err
}

func (r *request) setInterface(value string) *Error {
	r.daemon.Interface = value
	return checkName(value)
}

func (r *request) setMaxLen(value string) (err *Error) {
	r.daemon.MaxLen, err = number(value, 1, longestMessage)
	return err
}

func (r *request) setGroup(value string) *Error {
	group, err := netip.ParseAddr(value)
	if err != nil || !group.IsMulticast() || group.Zone() != "" {
		return errorf("%s is not a multicast address", quote(value))
	}
	r.daemon.Group = group
	return nil
}

func (r *request) setPort(value string) *Error {
	n, err := number(value, 1, 65535)
	r.daemon.Port = uint16(n)
	return err
}

func (r *request) setTTL(value string) (err *Error) {
	r.daemon.TTL, err = number(value, 1, 255)
	return err
}

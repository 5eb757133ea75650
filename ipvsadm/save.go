package ipvsadm

import (
	"cmp"
	"errors"
	"io"
	"net/netip"
	"time"

	"github.com/golvs/lvs"
)

// Save writes a table as 'ipvsadm -S -n' does, to the byte: without thresholds, real
// servers ordered by address, and firewall marks from 2147483648 on as negative numbers,
// which ipvsadm does not read. [File.MarshalText] loses nothing.
//
// ipvsadm orders services whose addresses are more than half of the address space apart,
// such as 10.0.0.1, 100.0.0.1 and 192.0.0.1, by where they are in the kernel's hash table.
// That differs between namespaces with the same table, and no [lvs.Snapshot] shows it.
// Save orders these by where they are in the table, which means the same.
//
// The error lists what ipvsadm has no options for, such as a mode that is the kernel's
// own, and what no kernel has, such as a negative weight, each with an [*Error] that
// matches [lvs.ErrInvalid]. Then nothing is written.
func Save(w io.Writer, table lvs.Table) error { return SaveWith(w, table, SaveOptions{}) }

// SaveOptions says how [SaveWith] writes. The zero value is that of 'ipvsadm -S -n'.
type SaveOptions struct {
	Names         Names // nil: numbers, as with -n
	UnsignedMarks bool  // firewall marks from 2147483648 on are not negative, so that ipvsadm reads them
}

// SaveWith writes a table as [Save] does, with options.
func SaveWith(w io.Writer, table lvs.Table, o SaveOptions) error {
	t := text{saved: true, SaveOptions: o}
	var bad []error
	for _, s := range sortServices(table.Services, func(s lvs.TableService) lvs.ServiceID { return s.ID }) {
		if err := cmp.Or(impossible(s.Service), t.service("-A", s.Service)); err != nil {
			bad = append(bad, err.at(s.ID.String(), 0))
		}
		for _, server := range sortServers(s.RealServers, func(s lvs.RealServer) netip.AddrPort { return s.Addr }) {
			if err := cmp.Or(impossibleServer(server), t.server("-a", s.ID, server)); err != nil {
				bad = append(bad, err.at(s.ID.String()+" -> "+server.Addr.String(), 0))
			}
		}
	}
	if bad != nil {
		return errors.Join(bad...)
	}
	_, err := io.WriteString(w, t.String())
	return err
}

// impossible refuses what no service in a kernel has, because its line would be another
// command. Save cannot refuse all that package lvs does: kernels have some of that.
func impossible(s lvs.Service) *Error {
	vip, timeout := s.ID.AddrPort().Addr(), s.Persistence.Timeout
	length, isPrefix := s.Persistence.Mask.Bits()
	switch {
	case !s.ID.IsValid():
		return errorf("a service needs an ID")
	case vip.Zone() != "":
		return errorf("%s has a zone, which IPVS does not have", vip)
	case timeout < 0 || timeout%time.Second != 0:
		return errorf("%s is not a number of seconds", timeout)
	case s.ID.Is6() && !isPrefix && s.Persistence.Mask != (lvs.Mask{}), !s.ID.Is6() && isPrefix && length > 32:
		return errorf("%s is not a mask of the service's address family", s.Persistence.Mask)
	}
	return nil
}

// impossibleServer refuses what no real server in a kernel has.
func impossibleServer(s lvs.RealServer) *Error {
	switch {
	case !s.Addr.IsValid() || s.Addr.Addr().Zone() != "":
		return errorf("a real server needs an address without a zone")
	case s.Weight < 0:
		return errorf("the weight %d is negative", s.Weight)
	}
	return nil
}

// MarshalText returns the file as commands that [ParseFile] and 'ipvsadm -R' read, with
// all that it has: --set, --start-daemon, and services and real servers in their order,
// with thresholds.
//
// The error lists what package lvs, the kernel or ipvsadm would refuse, each with an
// [*Error].
func (f File) MarshalText() ([]byte, error) {
	var t text
	var bad []error
	m := newMaker(File{})
	for _, ch := range f.changes() {
		err := m.apply(ch)
		if err == nil {
			err = t.change(ch)
		}
		if err != nil {
			bad = append(bad, err.at(ch.String(), 0))
		}
	}
	if bad != nil {
		return nil, errors.Join(bad...)
	}
	return []byte(t.String()), nil
}

// changes returns the changes that make the file where nothing is.
func (f File) changes() []lvs.Change {
	var all []lvs.Change
	if f.Timeouts != (lvs.Timeouts{}) {
		all = append(all, lvs.SetTimeouts(f.Timeouts))
	}
	for _, d := range f.SyncDaemons {
		all = append(all, lvs.StartSyncDaemon(d))
	}
	for _, s := range f.Table.Services {
		all = append(all, lvs.AddService(s.Service))
		for _, server := range s.RealServers {
			all = append(all, lvs.AddRealServer(s.ID, server))
		}
	}
	return all
}

package ipvsadm

import (
	"errors"
	"io"
	"net/netip"

	"github.com/golvs/lvs"
)

// Save writes a table as 'ipvsadm -S -n' does, to the byte: without thresholds, real
// servers ordered by address, and firewall marks from 2147483648 on as negative numbers,
// which ipvsadm does not read. [File.MarshalText] loses nothing.
//
// ipvsadm orders addresses that are more than half of the address space apart, such as
// 10.0.0.1, 100.0.0.1 and 192.0.0.1, as it finds them in the kernel's hash table. Save
// then puts services in another order, which means the same.
//
// The error lists what ipvsadm has no options for, such as a mode that is the kernel's
// own, each with an [*Error] that matches [lvs.ErrInvalid]. Then nothing is written.
func Save(w io.Writer, table lvs.Table) error {
	t := text{saved: true}
	var bad []error
	for _, s := range sortServices(table.Services, func(s lvs.TableService) lvs.ServiceID { return s.ID }) {
		if err := t.service("-A", s.Service); err != nil {
			bad = append(bad, err.at(s.ID.String(), 0))
		}
		for _, server := range sortServers(s.RealServers, func(s lvs.RealServer) netip.AddrPort { return s.Addr }) {
			if err := t.server("-a", s.ID, server); err != nil {
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

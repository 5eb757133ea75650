package ipvsadm

import "github.com/golvs/lvs"

// File is what a list of commands makes: a table, and what belongs to none.
type File struct {
	// Table has the services in the order in which they were added.
	Table lvs.Table

	// Timeouts are what --set sets; a zero is not set.
	Timeouts lvs.Timeouts

	// SyncDaemons are those that run at the end, in the order in which they were started.
	SyncDaemons []lvs.SyncDaemon
}

// ParseFile reads commands as [Parse] does, and returns what they make of an empty table
// without sync daemons. A command that the kernel would refuse, such as -E of a service
// that does not exist, is an error too.
//
// To restore the file, pass its Table to [lvs.Client.PlanTable], which also refuses what
// has no effect in the kernel: see [lvs.Table.Validate]. A plan has neither timeouts nor
// sync daemons: pass these to [lvs.Client.SetTimeouts] and [lvs.Client.StartSyncDaemon].
func ParseFile(text []byte) (File, error) {
	read, err := Parser{}.lines(string(text))
	if err != nil {
		return File{}, err
	}
	m := newMaker(File{})
	for _, l := range read {
		if err := m.apply(l.change); err != nil {
			err.Line = l.number
			return File{}, err.at("", l.column)
		}
	}
	return m.file(), nil
}

// After returns what the changes make of the file. It refuses what the kernel would
// refuse, with an [*Error]; then it returns the file as it was.
func (f File) After(changes ...lvs.Change) (File, error) {
	m := newMaker(f)
	for _, ch := range changes {
		if err := m.apply(ch); err != nil {
			return f, err.at(ch.String(), 0)
		}
	}
	return m.file(), nil
}

// UnmarshalText reads the file as [ParseFile] does.
func (f *File) UnmarshalText(text []byte) error {
	read, err := ParseFile(text)
	if err == nil {
		*f = read
	}
	return err
}

// Package clinic measures [lvs.Host.Check]. Its tests build healthy hosts by the commands
// of public guides and break them one command at a time. Real traffic shows what each
// command broke; the tests compare that with what Check says, and apply the fixes of its
// findings to see whether traffic flows again. They run inside a kernel: see
// scripts/doctor.
package clinic

import _ "github.com/golvs/lvs" // for its doc

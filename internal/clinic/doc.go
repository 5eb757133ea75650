// Package clinic measures [lvs.Host.Check]. Its tests build healthy hosts by the
// commands of public guides, break them one command at a time, let real traffic
// judge what that broke, and compare it with what Check says, and with how traffic
// flows after the findings' own fixes. The tests run inside a kernel: see
// scripts/doctor.
package clinic

import _ "github.com/golvs/lvs" // for its doc

package simipvs

import (
	"bytes"
	"encoding/binary"
	"testing"

	"github.com/golvs/lvs/internal/release"
)

// A message never breaks a kernel, and what a master tells of the connections of a backup
// is read again as it was.
func FuzzSyncMessage(f *testing.F) {
	f.Add([]byte{0, 5, 0, 0, 1, 1, 0, 0, 0, 6, 0, 36, 0, 0, 1, 0x83, 0, 4, 4, 6, 0, 80, 0, 80, 0, 0, 0, 0, 0, 0, 0, 60, 10, 1, 16, 3, 10, 1, 254, 3, 10, 2, 0, 13})
	f.Add([]byte{1, 5, 0, 0, 0, 6, 4, 0, 0, 80, 0, 80, 10, 1, 16, 3, 10, 1, 254, 3, 10, 2, 0, 13, 1, 0x83, 0, 1})
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) >= headerV0 {
			binary.BigEndian.PutUint16(b[2:], uint16(len(b)))
		}
		k := New(Options{Release: release.Release{Major: 6, Minor: 1, Patch: 176}})
		k.daemons.backup = &daemon{state: stateBackup, maxLen: 65000, threads: 1}
		_ = k.DeliverSync(0, b)
		var again, once []byte
		for id := connID(1); id <= k.conns.highest; id++ {
			c := k.conns.at(id)
			if c.family == 0 {
				continue
			}
			e := k.syncEntry(id, c)
			once = append(append(once, e.appendTo(nil)...), make([]byte, -e.length()&3)...)
			var back syncEntry
			if err := back.read(e.appendTo(nil)); err != nil {
				t.Fatalf("%+v: %v", e, err)
			}
			again = append(append(again, back.appendTo(nil)...), make([]byte, -e.length()&3)...)
		}
		if !bytes.Equal(once, again) {
			t.Errorf("%x is read as %x", once, again)
		}
		for range 3 {
			_ = k.DeliverSync(0, b)
		}
		if err := k.Advance(1 << 40); err != nil {
			t.Error(err)
		}
	})
}

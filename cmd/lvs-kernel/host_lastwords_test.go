package main

import "testing"

func TestLastWords(t *testing.T) {
	tests := map[string]struct{ console, want string }{
		"silent":   {"", ""},
		"as usual": {"mmapper_init - find_iomem failed\nFailed to initialize ubd device 0 :x\n\n", ""},
		"an old kernel and AMX": {
			"userspace - ptrace set fp regs failed, errno = 14\nKernel panic - not syncing: Attempted to kill init! exitcode=0xb\nStack:\n 606944ba\n",
			meanings[0].meaning,
		},
		"a panic": {
			"<5>Linux version 6.1\n<0>[    1.234567] Kernel panic - not syncing: VFS: no root\r\n<4>Call Trace:\n<4> [<6003209e>] ? _printk+0x0/0x45\n",
			"Kernel panic - not syncing: VFS: no root",
		},
		"noexec":  {"Operation not permitted\n/tmp/x must be not mounted noexec\n\n", meanings[1].meaning},
		"no room": {"<3>Bus error - the host /dev/shm or /tmp mount likely just ran out of space\n<0>Kernel panic - not syncing: Kernel mode signal 7\n", meanings[2].meaning},
		"an early end": {
			"check_x : expected SIGSTOP, got status = 9\nFailed to initialize ubd device 0 :x\n",
			"check_x : expected SIGSTOP, got status = 9",
		},
		"the emulator": {"qemu-system-x86_64: cannot set up guest memory 'pc.ram'\n", "qemu-system-x86_64: cannot set up guest memory 'pc.ram'"},
	}
	for name, tt := range tests {
		if got := lastWords(tt.console); got != tt.want {
			t.Errorf("%s: got %q, want %q", name, got, tt.want)
		}
	}
}

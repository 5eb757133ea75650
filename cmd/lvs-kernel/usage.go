package main

// usage is the answer to -h.
const usage = `lvs-kernel runs a command as root inside a real Linux kernel that has IPVS.
It needs no root and no KVM, and leaves the host as it is.

	lvs-kernel [flags] VERSION -- COMMAND [ARGS…]
	lvs-kernel -list
	lvs-kernel -update VERSION [-- COMMAND [ARGS…]]
	go test -exec 'lvs-kernel [flags] VERSION --' PACKAGES

VERSION is one of

	6.1        User-Mode Linux of Debian 12 (one CPU)
	6.12       User-Mode Linux of Debian 13 (one CPU)
	newest     User-Mode Linux of Debian unstable (one CPU)
	qemu-6.1   kernel of Debian 12 in QEMU without KVM (two CPUs, slower)
	qemu-6.12  kernel of Debian 13 in QEMU without KVM (two CPUs, slower)

Flags:

	-timeout D    end the kernel after this time, with exit status 124 (10m; 0: never)
	-write DIR    let the command write to this folder of the host (may be repeated)
	-mem MIB      memory of the kernel (2048)
	-cpus N       CPUs, in QEMU only (2)
	-load NAMES   modules to load before the command, besides ip_vs
	-v            say on stderr which kernel runs
	-console      show the kernel's own messages on stderr
	-pad WHEN     pad the processor state that 6.1 and 6.12 give to the host: auto
	              (where it has more than they know, as with AMX), always, never
	-preload FILE load a shared object into the process of a User-Mode Linux kernel
	-list         list the kernels, and the versions that are in the cache
	-update       fetch the newest version of the kernel first
	-cache DIR    where kernels are kept (lvs-kernel in the user's cache folder)
	-mirror URL   the Debian mirror (the one of this machine's apt configuration)

Inside, the host's files are at the same paths and can be changed, but the
changes are in memory and gone at the end, except in the folders of -write and
in those that the -test.* flags of a test binary name. TMPDIR is a folder in
memory, LVS_KERNEL the kernel's release and LVS_KERNEL_NAME the VERSION.

The exit status is the command's; 128+N when signal N ended it; 124 after the
timeout; 125 when the runner or the kernel failed; 126 when the command could
not be executed; 127 when it was not found.
`

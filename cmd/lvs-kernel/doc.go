// Command lvs-kernel runs a command as root inside a real Linux kernel that
// has IPVS. The host needs neither IPVS nor root nor KVM, and nothing on it is
// changed. It must be a Linux host for x86-64 with Debian's apt.
//
//	lvs-kernel [flags] VERSION -- COMMAND [ARGS…]
//	lvs-kernel -list
//	lvs-kernel -update VERSION [-- COMMAND [ARGS…]]
//
// It serves the tests of this library, and those of programs that use it:
//
//	go run github.com/golvs/lvs/cmd/lvs-kernel 6.12 -- ipvsadm -Ln
//	go test -exec 'go run github.com/golvs/lvs/cmd/lvs-kernel 6.12 --' ./...
//	go run github.com/golvs/lvs/cmd/lvs-kernel 6.12 -- go test ./...
//
// The second form builds the tests on the host and is much the faster one; the
// third builds them inside.
//
// # Kernels
//
// VERSION is one of
//
//	6.1        User-Mode Linux of Debian 12: one CPU, starts in 2 to 3 seconds
//	6.12       User-Mode Linux of Debian 13: one CPU, starts in 1 to 2 seconds
//	newest     User-Mode Linux of Debian unstable, likewise
//	qemu-6.1   the kernel of Debian 12 in QEMU without KVM: two CPUs, starts in 5 to 7 seconds
//	qemu-6.12  the kernel of Debian 13 in QEMU without KVM, likewise
//
// User-Mode Linux is a kernel that is an ordinary program. It has no nftables
// families but bridge, no scheduler twos and no WireGuard; QEMU's kernels have
// them (twos from 6.12 on), and their two CPUs show races inside the kernel.
//
// 6.1 and 6.12 give 2,696 bytes of processor state to the host. Where it accepts
// no less than its own, which is more with AMX, a shared object in the
// kernel's process pads the state. It is compiled on its first use, by cc, gcc,
// clang or tcc, or else by a tcc that is downloaded as kernels are. -pad always
// does so on every processor. A shared object that is loaded after it by
// -preload may simulate another host; testdata/amx.c is one with AMX. newest
// and QEMU's kernels do not need that.
//
// A kernel is downloaded on its first use by apt, through a configuration of
// its own that leaves the host's alone and needs no root. The newest version of
// the Debian suite is taken, its security updates included. The mirror is the
// one of the machine's own apt configuration, or that of -mirror. Kernels are
// kept in the folder lvs-kernel of the user's cache folder, until -update
// fetches a newer version. -list shows which versions are there; -v writes which
// kernel runs to stderr.
//
// # Inside
//
// The host's files are at the same paths, and the command starts in the
// caller's working folder with the caller's environment, but as root and with
// these differences:
//
//   - Every file may be changed, but the changes are kept in memory and gone at
//     the end. Folders named by -write are the exception: what is written there
//     reaches the host. So it does in the folders named by those flags of a test
//     binary that ask for files, such as -test.coverprofile, and by GOCOVERDIR;
//     and in the working folder when -test.fuzz is given.
//   - So the go command's build cache can be read and written inside. To keep
//     what it adds, give -write "$(go env GOCACHE)".
//   - TMPDIR is a folder in memory; /run, /dev/shm, /proc, /sys and /dev are the
//     kernel's own. PATH has the folders of system programs added.
//   - LVS_KERNEL is the kernel's release, as uname -r has it, and
//     LVS_KERNEL_NAME is VERSION, so that a test knows where it runs.
//   - lo is up; there are no other interfaces, and no way out to a network. The
//     module ip_vs and those named by -load are loaded; others are loaded when
//     they are first needed, as on any Linux system. modprobe and rmmod work,
//     by the host's kmod or else by small ones of our own.
//   - Standard input is empty. Standard output and standard error arrive apart,
//     as they are written and byte for byte. The kernel's own messages are shown
//     with -console; when it fails, one line says why, as far as it is known.
//
// When the command has ended, everything that it left running is ended too.
//
// # Exit status
//
// The exit status is the command's, and 128+N when signal N ended it. That of
// the runner itself is 124 after the timeout, 125 when the runner or the kernel
// failed, 126 when the command could not be executed, 127 when it was not found,
// and 128+N when the runner was stopped by signal N, as by Ctrl-C. go run turns
// every failure into 1: build or install lvs-kernel where the status matters.
//
// # Limits
//
//   - Test binaries built with -race run in newest and in QEMU's kernels. They
//     cannot run in the User-Mode Linux of 6.1 and 6.12, whose processes have
//     only 39 bits of address space; ThreadSanitizer ends there with "failed to
//     allocate".
//   - The runner itself is also init inside, so it must be a static program:
//     one built with -race is refused.
//   - A kernel allocates memory as it needs it, up to -mem; tests of several
//     packages run as many kernels at once as go test -p allows.
package main

// Package capture delivers the packets of a capture file to a simulator, and so shows what
// IPVS would have done with them: with another scheduler, other servers, or in another
// release of Linux.
//
// [Read] reads the files of tcpdump and Wireshark, and [Replay] delivers what is in them to
// an [lvs.Simulator], whose clock follows the capture. A [Report] sums up.
//
// The package is a module of its own, so that package lvs does not depend on a library for
// captures.
package capture

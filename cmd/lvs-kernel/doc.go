// Command lvs-kernel runs a command as root inside a real Linux kernel that
// has IPVS, on a host that need not have it, and without root or KVM.
package main

// Package ipvsadm reads and writes the commands, save files and listings of ipvsadm(8),
// as values of package lvs. It runs no programs and touches neither kernel nor network.
//
// # Reading
//
// [Parse] reads commands, one a line, as 'ipvsadm -R' does, and [ParseArgs] the arguments
// of one command. The result are changes for [lvs.Client.Do]. [ParseFile] reads a save
// file or any other list of commands into the table that they make.
//
// Nothing is returned of an input with an error: it is an [*Error] with the line and the
// column. Empty lines and line ends of Windows are accepted, and so are comments, which
// ipvsadm does not have: '#' at the beginning of an argument begins one. Lines that only
// print, which begin with -L or -S, change nothing; their options are checked, and not
// whether their service exists.
//
// The changes make the table that ipvsadm 1.31 makes of the same commands, including
// what surprises: -E without -s sets wlc, -e without -w sets weight 1 and without -m or
// -i sets DR, -p without a number is 360 seconds, and the port of a server that is
// reached by DR or through a tunnel becomes that of its service. Some inputs are read
// otherwise:
//
//   - Firewall marks may be hexadecimal (0x10), and negative, as ipvsadm saves those from
//     2147483648 on but does not read them.
//   - Hosts and ports must be numbers, as 'ipvsadm -S -n' writes them, unless a [Parser]
//     has names. IPv4 addresses and masks must be four decimal numbers: ipvsadm reads "10.1" as
//     10.0.0.1, the mask "24" as 0.0.0.24, and of an IPv6 service "64x" as 64.
//   - What package lvs refuses to write is refused here: a VIP of 0.0.0.0 or ::, an
//     IPv4 address that is mapped into IPv6, a server's port behind a firewall mark
//     without -m (see [Parser]), and --pe without -p.
//   - A -M that stands before the IPv6 service is refused, because ipvsadm would ignore it.
//   - Commands that end a restore are refused: -R, -h and -v.
//   - So are bytes that are not UTF-8, and control characters: at a NUL, ipvsadm skips the
//     rest of the word.
//   - Names of schedulers, persistence engines and interfaces have only letters, digits, and
//     -_.:@+, because a shell reads other characters as something else.
//   - Words may have any length: ipvsadm begins another one after 4096 bytes.
//
// # Writing
//
// [Save] writes what 'ipvsadm -S -n' would, which has no thresholds, timeouts and sync
// daemons, and the servers in an order other than the table's. [File.MarshalText] loses
// none of these, and is a file that 'ipvsadm -R' can read. [Commands] writes changes as
// commands for a shell. All three return an error rather than a command that would do
// something else. [List], [ListConnections], [ListTimeouts] and [ListSyncDaemons] write
// what -L prints.
//
// # A whole command line
//
// [Parser.Command] also reads the options of -L and -S, and [Error.Original] is what
// ipvsadm says of a mistake: with these, a program can stand in for ipvsadm.
package ipvsadm

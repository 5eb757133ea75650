package lvs

// DR is direct routing: the director puts the server's MAC address on the packet
// and changes nothing else. The server must be on the same network, have the
// VIP on a device that does not answer ARP for it, and listen on the service's
// own port; it answers the client directly. It is the zero [Mode].
const DR Mode = 0

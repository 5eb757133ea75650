module github.com/golvs/lvs/bench

go 1.25.0

replace github.com/golvs/lvs => ../

require (
	github.com/cloudflare/ipvs v0.12.0
	github.com/golvs/lvs v0.0.0-00010101000000-000000000000
	github.com/kkdai/maglev v0.2.0
	github.com/mdlayher/genetlink v1.3.2
	github.com/moby/ipvs v1.1.0
	golang.org/x/sys v0.47.0
)

require (
	github.com/dchest/siphash v1.2.2 // indirect
	github.com/google/go-cmp v0.7.0 // indirect
	github.com/google/nftables v0.3.0 // indirect
	github.com/mdlayher/netlink v1.11.2 // indirect
	github.com/mdlayher/socket v0.6.0 // indirect
	github.com/sirupsen/logrus v1.9.0 // indirect
	github.com/vishvananda/netlink v1.3.1 // indirect
	github.com/vishvananda/netns v0.0.5 // indirect
	golang.org/x/net v0.53.0 // indirect
	golang.org/x/sync v0.20.0 // indirect
)

tool github.com/golvs/lvs/cmd/lvs-kernel

module github.com/golvs/lvs/cmd/lvs

go 1.26.0

require (
	github.com/creack/pty v1.1.24
	github.com/golvs/lvs v0.0.0
	github.com/google/go-cmp v0.7.0
	github.com/rivo/uniseg v0.4.7
	go.yaml.in/yaml/v4 v4.0.0
	golang.org/x/term v0.48.0
)

require (
	github.com/google/nftables v0.3.0 // indirect
	github.com/mdlayher/netlink v1.11.2 // indirect
	github.com/mdlayher/socket v0.6.0 // indirect
	github.com/vishvananda/netlink v1.3.1 // indirect
	github.com/vishvananda/netns v0.0.5 // indirect
	golang.org/x/net v0.53.0 // indirect
	golang.org/x/sync v0.20.0 // indirect
	golang.org/x/sys v0.50.0 // indirect
)

replace github.com/golvs/lvs => ../..

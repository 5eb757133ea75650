package hostnet

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

const (
	cipher       = "cbc(aes)"
	cipherBytes  = 32
	signature    = "hmac(sha256)"
	signatureLen = 128 // bits of it that are sent
)

// ipsecError tells when the kernel lacks IPsec: the interface to it, or ESP.
func ipsecError(err error) error {
	if errors.Is(err, unix.EPROTONOSUPPORT) {
		return fmt.Errorf("%w: %w", ErrNoIPsec, err)
	}
	return err
}

// Policies lists the policies of IPsec.
func (n *Network) Policies() (all []SecurityPolicy, err error) {
	list, err := n.policies()
	for _, p := range list {
		if p.Dir == netlink.XFRM_DIR_IN || p.Dir == netlink.XFRM_DIR_OUT {
			all = append(all, policyOf(p))
		}
	}
	return all, err
}

func (n *Network) findPolicy(f SecurityPolicy) (*SecurityPolicy, error) {
	all, err := n.Policies()
	for _, p := range all {
		if p.From == f.From && p.To == f.To && p.Protocol == f.Protocol && p.In == f.In {
			return &p, nil
		}
	}
	return nil, err
}

func policyOf(p policy) SecurityPolicy {
	f := SecurityPolicy{
		From: p.from, To: p.to, Protocol: uint8(p.Proto), In: p.Dir == netlink.XFRM_DIR_IN, Other: true,
	}
	if p.Action != netlink.XFRM_POLICY_ALLOW || p.Ifid != 0 || p.Ifindex != 0 || p.Mark != nil || p.Priority != 0 ||
		p.SrcPort != 0 || p.DstPort != 0 || len(p.Tmpls) != 1 {
		return f
	}
	if t := p.Tmpls[0]; t.Proto == netlink.XFRM_PROTO_ESP {
		f.SPI = uint32(t.Reqid)
		f.Other = t.Mode != netlink.XFRM_MODE_TRANSPORT || t.Optional != 0 || t.Spi != 0 ||
			hostOf(t.Src) != f.From.Addr() || hostOf(t.Dst) != f.To.Addr()
	}
	return f
}

func (f SecurityPolicy) policy() *netlink.XfrmPolicy {
	p := &netlink.XfrmPolicy{
		Src: netOf(f.From), Dst: netOf(f.To), Proto: netlink.Proto(f.Protocol), Dir: netlink.XFRM_DIR_OUT,
		Tmpls: []netlink.XfrmPolicyTmpl{{
			Src: ipOf(f.From.Addr()), Dst: ipOf(f.To.Addr()), Proto: netlink.XFRM_PROTO_ESP, Mode: netlink.XFRM_MODE_TRANSPORT, Reqid: int(f.SPI),
		}},
	}
	if f.In {
		p.Dir = netlink.XFRM_DIR_IN
	}
	return p
}

func (n *Network) putPolicy(f SecurityPolicy) error {
	return ipsecError(n.routes.XfrmPolicyAdd(f.policy()))
}

func (n *Network) removePolicy(f SecurityPolicy) error {
	return ipsecError(n.routes.XfrmPolicyDel(f.policy()))
}

func (n *Network) findAssociation(f SecurityAssociation) (*SecurityAssociation, error) {
	a, err := n.routes.XfrmStateGet(&netlink.XfrmState{Dst: ipOf(f.To), Proto: netlink.XFRM_PROTO_ESP, Spi: int(f.SPI)})
	if notThere(err) || errors.Is(err, unix.EPROTONOSUPPORT) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	found := associationOf(a)
	return &found, nil
}

func associationOf(a *netlink.XfrmState) SecurityAssociation {
	f := SecurityAssociation{From: hostOf(a.Src), To: hostOf(a.Dst), SPI: uint32(a.Spi), Other: true}
	if a.Mode != netlink.XFRM_MODE_TRANSPORT || a.Reqid != a.Spi || a.Crypt == nil || a.Auth == nil || a.Aead != nil ||
		a.Crypt.Name != cipher || a.Auth.Name != signature || a.Auth.TruncateLen != signatureLen ||
		len(a.Crypt.Key) != cipherBytes || len(a.Auth.Key) != SecretSize-cipherBytes ||
		a.ReplayWindow != 0 || a.Encap != nil || a.Mark != nil || a.OutputMark != nil || a.Ifid != 0 || a.DontEncapDSCP ||
		!isForAll(a.Selector) || isLimited(a.Limits) {
		return f
	}
	f.Other = false
	f.Key = NewSecret([SecretSize]byte(append(slices.Clone(a.Crypt.Key), a.Auth.Key...)))
	return f
}

// isForAll reports whether an association is for all packets between its hosts.
func isForAll(s *netlink.XfrmPolicy) bool {
	any := func(n *net.IPNet) bool { return n == nil || prefixOf(n).Bits() == 0 }
	return s == nil || any(s.Src) && any(s.Dst) && s.Proto == 0 && s.SrcPort == 0 && s.DstPort == 0 && s.Ifindex == 0
}

// isLimited reports whether an association ends after some time or traffic.
func isLimited(l netlink.XfrmStateLimits) bool {
	return l.TimeHard != 0 || l.TimeUseHard != 0 || !isForever(l.ByteHard) || !isForever(l.PacketHard)
}

func isForever(limit uint64) bool { return limit == 0 || limit == nl.XFRM_INF }

func hostOf(ip net.IP) netip.Addr {
	a, _ := netip.AddrFromSlice(ip)
	return a.Unmap()
}

func (f SecurityAssociation) state() *netlink.XfrmState {
	key := f.Key.Bytes()
	return &netlink.XfrmState{
		Src: ipOf(f.From), Dst: ipOf(f.To), Proto: netlink.XFRM_PROTO_ESP, Mode: netlink.XFRM_MODE_TRANSPORT,
		Spi: int(f.SPI), Reqid: int(f.SPI), OSeqMayWrap: true,
		Crypt: &netlink.XfrmStateAlgo{Name: cipher, Key: key[:cipherBytes]},
		Auth:  &netlink.XfrmStateAlgo{Name: signature, Key: key[cipherBytes:], TruncateLen: signatureLen},
	}
}

func (n *Network) putAssociation(f SecurityAssociation) error {
	return ipsecError(n.routes.XfrmStateAdd(f.state()))
}

func (n *Network) removeAssociation(f SecurityAssociation) error {
	return ipsecError(n.routes.XfrmStateDel(f.state()))
}

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

	"github.com/golvs/lvs/internal/netstate"
)

// ipsecPolicy reads and changes a policy of IPsec.
type ipsecPolicy netstate.IPsecPolicy

var _ = serve(func(r netstate.IPsecPolicy) kind { return ipsecPolicy(r) })

// ipsecAssociation reads and changes an association of IPsec.
type ipsecAssociation netstate.IPsecAssociation

var _ = serve(func(r netstate.IPsecAssociation) kind { return ipsecAssociation(r) })

const (
	cipher       = "cbc(aes)"
	cipherBytes  = 32
	signature    = "hmac(sha256)"
	signatureLen = 128 // bits of it that are sent
)

// ipsecError names the error of a kernel that lacks IPsec: the interface to it, or ESP.
func ipsecError(err error) error {
	if errors.Is(err, unix.EPROTONOSUPPORT) {
		return fmt.Errorf("%w: %w", netstate.ErrNoIPsec, err)
	}
	return err
}

// Policies lists the policies of IPsec.
func (n *Network) Policies() (all []netstate.IPsecPolicy, err error) {
	list, err := n.policies()
	for _, p := range list {
		if p.Dir == netlink.XFRM_DIR_IN || p.Dir == netlink.XFRM_DIR_OUT {
			all = append(all, policyOf(p))
		}
	}
	return all, err
}

func (f ipsecPolicy) find(n *Network) (netstate.Resource, error) {
	all, err := n.Policies()
	for _, p := range all {
		if p.From == f.From && p.To == f.To && p.Protocol == f.Protocol && p.In == f.In {
			return p, nil
		}
	}
	return nil, err
}

func policyOf(p policy) netstate.IPsecPolicy {
	f := netstate.IPsecPolicy{
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

// request returns what adds or removes the policy.
func (f ipsecPolicy) request() *netlink.XfrmPolicy {
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

func (f ipsecPolicy) put(n *Network) error {
	return ipsecError(n.routes.XfrmPolicyAdd(f.request()))
}

func (f ipsecPolicy) remove(n *Network) error {
	return ipsecError(n.routes.XfrmPolicyDel(f.request()))
}

func (f ipsecAssociation) find(n *Network) (netstate.Resource, error) {
	a, err := n.routes.XfrmStateGet(&netlink.XfrmState{Dst: ipOf(f.To), Proto: netlink.XFRM_PROTO_ESP, Spi: int(f.SPI)})
	if notThere(err) || errors.Is(err, unix.EPROTONOSUPPORT) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return associationOf(a), nil
}

func associationOf(a *netlink.XfrmState) netstate.IPsecAssociation {
	f := netstate.IPsecAssociation{From: hostOf(a.Src), To: hostOf(a.Dst), SPI: uint32(a.Spi), Other: true}
	if a.Mode != netlink.XFRM_MODE_TRANSPORT || a.Reqid != a.Spi || a.Crypt == nil || a.Auth == nil || a.Aead != nil ||
		a.Crypt.Name != cipher || a.Auth.Name != signature || a.Auth.TruncateLen != signatureLen ||
		len(a.Crypt.Key) != cipherBytes || len(a.Auth.Key) != netstate.SecretSize-cipherBytes ||
		a.ReplayWindow != 0 || a.Encap != nil || a.Mark != nil || a.OutputMark != nil || a.Ifid != 0 || a.DontEncapDSCP ||
		!isForAll(a.Selector) || isLimited(a.Limits) {
		return f
	}
	f.Other = false
	f.Key = netstate.NewSecret([netstate.SecretSize]byte(append(slices.Clone(a.Crypt.Key), a.Auth.Key...)))
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

// request returns what adds or removes the association.
func (f ipsecAssociation) request() *netlink.XfrmState {
	key := f.Key.Bytes()
	return &netlink.XfrmState{
		Src: ipOf(f.From), Dst: ipOf(f.To), Proto: netlink.XFRM_PROTO_ESP, Mode: netlink.XFRM_MODE_TRANSPORT,
		Spi: int(f.SPI), Reqid: int(f.SPI), OSeqMayWrap: true,
		Crypt: &netlink.XfrmStateAlgo{Name: cipher, Key: key[:cipherBytes]},
		Auth:  &netlink.XfrmStateAlgo{Name: signature, Key: key[cipherBytes:], TruncateLen: signatureLen},
	}
}

func (f ipsecAssociation) put(n *Network) error {
	return ipsecError(n.routes.XfrmStateAdd(f.request()))
}

func (f ipsecAssociation) remove(n *Network) error {
	return ipsecError(n.routes.XfrmStateDel(f.request()))
}

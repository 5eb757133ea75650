package health

import (
	"fmt"

	"github.com/golvs/lvs"
)

// Validate returns an error that matches [lvs.ErrInvalid] if a policy has checks through
// IPVS that can never be made, because its service is a firewall mark and is not in
// [TablePathOptions.VIPs].
func (p *TablePath) Validate(table lvs.Table, policies map[lvs.ServiceID]Policy) error {
	for _, s := range table.Services {
		if s.ID.FWMark() == 0 || p.options.VIPs[s.ID].IsValid() {
			continue
		}
		if len(throughIPVS(lvs.Table{Services: []lvs.TableService{s}}, policies)) > 0 {
			return invalid(fmt.Sprintf("VIPs[%s]", s.ID), "must be set, because the service has a check through IPVS: an address and a port whose packets get its mark")
		}
	}
	return nil
}

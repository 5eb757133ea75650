package lvs

// FirstProbeMark and LastProbeMark are the range of firewall marks that is reserved for
// health checks through IPVS: each of these services has one real server, and gets only
// the probes for it. See package health.
const (
	FirstProbeMark uint32 = 0x6c760000
	LastProbeMark  uint32 = 0x6c76ffff
)

// IsProbe reports whether the service is one that carries health checks: it has a
// firewall mark from [FirstProbeMark] to [LastProbeMark]. Such services belong to the
// program that checks. No [Scope] contains them unless they are wanted or were, and
// [Host.Check] says nothing about them. The command lvs lists them on request only.
func (id ServiceID) IsProbe() bool { return FirstProbeMark <= id.mark && id.mark <= LastProbeMark }

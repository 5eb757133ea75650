package sched

type wlc struct {
	g *Group
}

func (l *wlc) Attach(g *Group) error { l.g = g; return nil }
func (l *wlc) Added(*Server)         {}
func (l *wlc) Removed(*Server)       {}
func (l *wlc) Edited(*Server)        {}
func (l *wlc) Counted(*Server)       {}

func (l *wlc) Pick(*Flow) *Server {
	var least *Server
	for _, s := range l.g.list {
		if s.usable() && (least == nil ||
			int64(l.g.Load(least))*int64(s.Weight) > int64(l.g.Load(s))*int64(least.Weight)) {
			least = s
		}
	}
	return least
}

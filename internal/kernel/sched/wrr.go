package sched

type wrr struct {
	g          *Group
	cl         int // index in the list, -1 is its head
	cw, mw, di int32
}

func (w *wrr) Attach(g *Group) error { w.g = g; w.recompute(); w.cw = w.mw; return nil }
func (w *wrr) Added(*Server)         { w.recompute() }
func (w *wrr) Removed(*Server)       { w.recompute() }
func (w *wrr) Edited(*Server)        { w.recompute() }
func (w *wrr) Counted(*Server)       {}

func (w *wrr) recompute() {
	var g, heaviest int32
	for _, s := range w.g.list {
		for a, b := g, s.Weight; ; a, b = b, a%b {
			if b == 0 {
				g = a
				break
			}
		}
		heaviest = max(heaviest, s.Weight)
	}
	w.cl = -1
	w.di = max(g, 1)
	w.mw = heaviest - (w.di - 1)
	if heaviest == 0 {
		w.mw = 0
	}
	if w.cw > w.mw || w.cw == 0 {
		w.cw = w.mw
	} else if w.di > 1 {
		w.cw = w.cw/w.di*w.di + 1
	}
}

func (w *wrr) Pick(*Flow) *Server {
	if w.mw == 0 {
		return nil
	}
	last, stop := w.cl, -1
	restarted, lastPass := false, false
	for {
		for w.cl++; w.cl < len(w.g.list); w.cl++ {
			if s := w.g.list[w.cl]; !s.Overloaded && s.Weight >= w.cw {
				return s
			}
			if w.cl == stop {
				return nil
			}
		}
		w.cl = -1
		w.cw -= w.di
		if w.cw <= 0 {
			w.cw = w.mw
			if lastPass || last == -1 {
				return nil
			}
			restarted = true
		}
		lastPass = w.cw <= w.di
		if lastPass && restarted && last != -1 {
			stop = last
		}
	}
}

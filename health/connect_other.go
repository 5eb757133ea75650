//go:build !linux

package health

import "time"

// connector opens connections without a goroutine for each where there is epoll. Here,
// probes that only connect are like others.
type connector struct{}

// socket is a connection of a connector.
type socket struct{}

func (m *Monitor) connect(*watch, time.Time) bool { return false }
func (m *Monitor) lookAtFresh()                   {}
func (m *Monitor) connectionLate(*watch)          {}
func (m *Monitor) closeSocket(*watch)             {}
func (m *Monitor) stopWaiting()                   {}

package top

import (
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/golvs/lvs/director"
	"github.com/golvs/lvs/health"
)

// oldStatus is the age at which a status is not shown as if it were current.
const oldStatus = 10 * time.Second

// maxStatus is the size in bytes above which a file is not a status.
const maxStatus = 256 << 20

// readStatus returns what the status file of a director says of real servers. It returns
// an error too if that is old.
func readStatus(path string, now time.Time) (map[Row]health.ServerStatus, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("%w; lvs run writes the file, with -status", err)
	}
	if !info.Mode().IsRegular() || info.Size() > maxStatus {
		return nil, errors.New(path + " is not a status of lvs run")
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var status director.Status
	if err := status.UnmarshalJSON(text); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	servers := healthIn(status)
	switch age := now.Sub(status.At); {
	case !status.Running:
		return servers, fmt.Errorf("%s: the director does not run since %s", path, status.At.Local().Format("15:04:05"))
	case age > oldStatus:
		return servers, fmt.Errorf("%s is %s old: lvs run does not write it any more", path, short(age))
	}
	return servers, nil
}

// healthIn returns what a status says of real servers.
func healthIn(status director.Status) map[Row]health.ServerStatus {
	servers := map[Row]health.ServerStatus{}
	for _, s := range status.Health.Services {
		for _, server := range s.Servers {
			servers[Row{s.Service, server.Server}] = server
		}
	}
	return servers
}

package main

import (
	"context"
	"encoding/json"
	"time"

	"github.com/golvs/lvs/director"
)

// statusInterval is the time between two writes of a status.
const statusInterval = time.Second

// writeStatus writes the status of a director to a file, now and then until the context
// ends, and once more then. The first error ends it.
func writeStatus(ctx context.Context, path string, d *director.Director) error {
	tick := time.NewTicker(statusInterval)
	defer tick.Stop()
	for {
		text, err := json.Marshal(d.Status())
		if err == nil {
			err = replaceFile(path, append(text, '\n'))
		}
		if err != nil || ctx.Err() != nil {
			return err
		}
		select {
		case <-ctx.Done():
		case <-tick.C:
		}
	}
}

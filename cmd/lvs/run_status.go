package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"time"

	"github.com/golvs/lvs/director"
)

// statusInterval is the time between two writes of a status.
const statusInterval = time.Second

// keepStatus writes the status of a director to a file, now and then until the context
// ends. It fails if it cannot write at first. Later, a disk that is full does not end the
// director: that is reported once, until it is over.
func keepStatus(ctx context.Context, report io.Writer, path string, d *director.Director) error {
	if err := writeStatus(path, d); err != nil {
		return err
	}
	tick := time.NewTicker(statusInterval)
	defer tick.Stop()
	for failing := false; ; {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		err := writeStatus(path, d)
		if err != nil && !failing {
			fmt.Fprintf(report, "lvs: -status: %v; the file has an older status\n", err)
		}
		failing = err != nil
	}
}

func writeStatus(path string, d *director.Director) error {
	text, err := json.Marshal(d.Status())
	if err != nil {
		return err
	}
	return replaceFile(path, append(text, '\n'))
}

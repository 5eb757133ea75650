package lvs

import (
	"context"
	"errors"
)

// putRounds is how often a put is sent that loses a race with a removal.
const putRounds = 10

// PutService adds a service, or updates it if it exists: the function [PutService]
// describes how. If another program removes the service at the same time, PutService
// tries again, and fails with [ErrNoService] when that goes on. Its other errors are
// those of [Client.AddService].
func (c *Client) PutService(ctx context.Context, s Service) error {
	return c.put(ctx, PutService(s), ErrNoService)
}

// PutRealServer adds a real server to a service, or updates it if the service has
// it: the function [PutRealServer] describes how. [ErrNoService]: the service does
// not exist. If another program removes the real server at the same time,
// PutRealServer tries again, and fails with [ErrNoRealServer] when that goes on.
func (c *Client) PutRealServer(ctx context.Context, id ServiceID, s RealServer) error {
	return c.put(ctx, PutRealServer(id, s), ErrNoRealServer)
}

// put makes a put, again if what it updates was removed before the update.
func (c *Client) put(ctx context.Context, ch Change, removed error) (err error) {
	for range putRounds {
		if err = c.do1(ctx, ch); !errors.Is(err, removed) {
			break
		}
	}
	return err
}

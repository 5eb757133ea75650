package lvs

import (
	"context"
	"errors"
	"strconv"
	"strings"
)

// Sysctl returns the value of a kernel parameter of the namespace, as its file has
// it, without the end of the line. The error matches [ErrNotFound] if this kernel
// does not have the parameter, [ErrPermission] if it cannot be read, and
// [ErrInvalid] if the key cannot be one.
func (h *Host) Sysctl(ctx context.Context, key SysctlKey) (string, error) {
	path, bad := key.path()
	if bad != nil {
		return "", bad.about(OpGetSysctl, string(key))
	}
	text, err := within(ctx, func() ([]byte, error) { return h.files.ReadFile(path) })
	return strings.TrimRight(string(text), "\n"), fileError(OpGetSysctl, string(key), err)
}

// SysctlInt is like [Host.Sysctl] for a parameter that is a number. The error
// matches [ErrInvalid] if it is not one.
func (h *Host) SysctlInt(ctx context.Context, key SysctlKey) (int, error) {
	text, err := h.Sysctl(ctx, key)
	if err != nil {
		return 0, err
	}
	value, err := strconv.Atoi(strings.TrimSpace(text))
	if err != nil {
		return 0, invalid("key", "its value %q does not fit an int; read it with Host.Sysctl", text).about(OpGetSysctl, string(key))
	}
	return value, nil
}

// SetSysctl writes a kernel parameter of the namespace. The error matches
// [ErrNotFound] if this kernel does not have the parameter, [ErrPermission] if it
// cannot be written, and [ErrInvalid] if the key cannot be one, or the kernel
// refuses the value.
func (h *Host) SetSysctl(ctx context.Context, key SysctlKey, value string) error {
	object := string(key) + " = " + value
	path, bad := key.path()
	if bad != nil {
		return bad.about(OpSetSysctl, object)
	}
	_, err := within(ctx, func() (struct{}, error) {
		return struct{}{}, h.files.WriteFile(path, []byte(value+"\n"))
	})
	if err == nil {
		return nil
	}
	e := explainHost(err)
	if p, ok := key.Parameter(); ok && errors.Is(e, ErrInvalid) {
		e.Field, e.hint = "value", "it must be "+p.accepts()
	}
	return e.about(OpSetSysctl, object)
}

// EnsureSysctl writes a kernel parameter of the namespace unless it has the value
// already, and reports whether it wrote. White space between the numbers of a list
// makes no difference. The errors are those of [Host.Sysctl] and [Host.SetSysctl].
func (h *Host) EnsureSysctl(ctx context.Context, key SysctlKey, value string) (changed bool, err error) {
	now, err := h.Sysctl(ctx, key)
	if err != nil || sameFields(now, value) {
		return false, err
	}
	err = h.SetSysctl(ctx, key, value)
	return err == nil, err
}

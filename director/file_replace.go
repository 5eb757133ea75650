package director

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// replaceFile gives a file new content, all of it or nothing, also after a crash. A new
// file can be read by everyone: a command may write what a Director of another user
// reads. One behind a symbolic link is replaced there.
func replaceFile(path string, text []byte) error {
	mode := fs.FileMode(0o644)
	if file, err := filepath.EvalSymlinks(path); err == nil {
		path = file
		if info, err := os.Stat(path); err == nil {
			mode = info.Mode().Perm()
		}
	}
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*.new")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // fails once it is renamed
	_, err = f.Write(text)
	if err := errors.Join(err, f.Chmod(mode), f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}

// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package file

import (
	"errors"
	"io/fs"
	"path/filepath"

	"go.uber.org/zap"
)

// watchedPaths returns the paths whose opens are reported: those given, for failed opens, whose path is the one that the process
// gave, and what they resolve to, because the kernel reports successful opens by paths without symbolic links. It logs which
// paths are links, and which match nothing now.
func watchedPaths(given []string, logger *zap.Logger) []string {
	watched := make([]string, 0, 2*len(given))
	for _, path := range given {
		watched = append(watched, path)
		resolved, err := resolve(path)
		if err != nil {
			logger.Warn("A path in opens::paths cannot be found; opens are reported once it exists. Correct it or leave it out: "+
				"patterns are not expanded, and paths are those of the collector's mount namespace", zap.String("path", path), zap.Error(err))
		}
		switch {
		case resolved == path:
		case len(resolved) > maxPathLength:
			logger.Warn("A path in opens::paths leads through a symbolic link to a path that is too long; list a directory above it",
				zap.String("path", path), zap.String("resolved", resolved), zap.Int("max_bytes", maxPathLength))
		default:
			logger.Info("A path in opens::paths leads through a symbolic link; opens are reported by the path that it resolves to",
				zap.String("path", path), zap.String("resolved", resolved))
			watched = append(watched, resolved)
		}
	}
	return watched
}

// resolve follows the symbolic links in a path. If the path does not exist, it follows those of the part that does, and returns
// an error as well.
func resolve(path string) (string, error) {
	resolved, err := filepath.EvalSymlinks(path)
	if err == nil {
		return resolved, nil
	}
	if !errors.Is(err, fs.ErrNotExist) || path == "/" {
		return path, err
	}
	directory, _ := resolve(filepath.Dir(path))
	return filepath.Join(directory, filepath.Base(path)), err
}

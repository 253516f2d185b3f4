// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"debug/buildinfo"
	"encoding/json"
	"errors"
	"os/exec"
	"path"
	"path/filepath"
	"strings"

	"golang.org/x/mod/module"
)

// executable is a built collector.
type executable struct {
	path, name, architecture string
	// modules are the third-party modules that are linked in.
	modules []module.Version
	// own are the names of this repository's modules, by the folder that they were built from.
	own map[string]string
}

func readExecutable(file string) (*executable, error) {
	info, err := buildinfo.ReadFile(file)
	if err != nil {
		return nil, err
	}
	e := &executable{path: file, name: filepath.Base(file), own: map[string]string{}}
	for _, setting := range info.Settings {
		if setting.Key == "GOARCH" {
			e.architecture = setting.Value
		}
	}
	if e.architecture == "" {
		return nil, errors.New("the executable does not say its architecture")
	}
	for _, dep := range info.Deps {
		used := dep
		if dep.Replace != nil {
			used = dep.Replace
		}
		if used.Version == "" || used.Version == "(devel)" {
			e.own[used.Path] = ownName(dep.Path, used.Path)
		} else {
			e.modules = append(e.modules, module.Version{Path: used.Path, Version: used.Version})
		}
	}
	return e, nil
}

// repository is the module of this repository.
const repository = "github.com/otelcol-ebpf/otelcol-ebpf"

// ownName returns the name of a module of this repository. A module that replaces a third-party one is named by its folder, which is
// relative to that of the distribution.
func ownName(name, folder string) string {
	if name == repository || strings.HasPrefix(name, repository+"/") {
		return name
	}
	return path.Join(repository, strings.TrimPrefix(folder, "../"))
}

// goEnv are the folders of Go.
type goEnv struct{ GOROOT, GOMODCACHE string }

func readGoEnv() (env goEnv, err error) {
	text, err := exec.Command("go", "env", "-json", "GOROOT", "GOMODCACHE").Output()
	if err != nil {
		return env, err
	}
	return env, json.Unmarshal(text, &env)
}

// dir returns the folder of a module in the cache.
func (g goEnv) dir(m module.Version) (string, error) {
	path, err := module.EscapePath(m.Path)
	if err != nil {
		return "", err
	}
	version, err := module.EscapeVersion(m.Version)
	if err != nil {
		return "", err
	}
	return filepath.Join(g.GOMODCACHE, filepath.FromSlash(path)+"@"+version), nil
}

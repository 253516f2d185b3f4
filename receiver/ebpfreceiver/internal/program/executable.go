// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package program

import (
	"errors"
	"fmt"
	"strings"

	"github.com/otelcol-ebpf/otelcol-ebpf/bpf/common"
)

// maxExecutableLength is the most bytes that the BPF side keeps of an executable's base name.
const maxExecutableLength = 47

// ExecutableSchema is the JSON Schema of an Executable.
var ExecutableSchema = Schema{"pattern": `^[^/*?[]+$`, "maxLength": maxExecutableLength}

// Executable is the base name of an executable.
type Executable string

// Validate returns an error if e is not a base name, or is longer than the BPF side compares.
func (e Executable) Validate() error {
	switch {
	case e == "":
		return errors.New("the name is empty; write the base name of an executable, such as curl")
	case strings.Contains(string(e), "/"):
		return fmt.Errorf("%q is a path; write the base name of the executable, such as %q", string(e), baseName(string(e)))
	case strings.ContainsAny(string(e), "*?["):
		return fmt.Errorf("%q is a pattern; write the base name of each executable, such as \"nginx\"", string(e))
	case len(e) > maxExecutableLength:
		return fmt.Errorf("%q has %d bytes; the first %d are compared, so write those", string(e), len(e), maxExecutableLength)
	}
	return nil
}

// Key returns the name in the form that the BPF side compares.
func (e Executable) Key() (key common.Executable) {
	for i := range min(len(e), len(key.Name)-1) {
		key.Name[i] = int8(e[i])
	}
	return key
}

func baseName(path string) string {
	path = strings.TrimRight(path, "/")
	if path == "" {
		return "curl"
	}
	return path[strings.LastIndexByte(path, '/')+1:]
}

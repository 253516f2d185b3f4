// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package program

import (
	"fmt"
	"strings"
)

const (
	// MinContainerID is how many digits distinguish a container's id.
	MinContainerID = 12
	// MaxContainerID is how many digits it has at most.
	MaxContainerID = 64
)

// ContainerIDSchema is the JSON Schema of a ContainerID.
var ContainerIDSchema = Schema{"pattern": fmt.Sprintf("^[0-9a-f]{%d,%d}$", MinContainerID, MaxContainerID)}

// ContainerID is the id of a container, or its first digits.
type ContainerID string

// Validate returns an error if the text is not an id, or too short to be of one container.
func (id ContainerID) Validate() error {
	if len(id) < MinContainerID || len(id) > MaxContainerID || strings.Trim(string(id), "0123456789abcdef") != "" {
		return fmt.Errorf("%q is not the id of a container; write it, or at least its first %d hexadecimal digits, as container.id has it",
			string(id), MinContainerID)
	}
	return nil
}

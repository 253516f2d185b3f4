// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package kernel

import (
	"fmt"
	"strconv"
	"strings"
)

// Version is the version of a kernel, without the suffix of a distribution.
type Version struct{ Major, Minor int }

// SincePreemption is the first kernel in which a task may preempt a program at a tracepoint.
var SincePreemption = Version{Major: 6, Minor: 19}

// ParseVersion returns the version in a release, as in "5.10.0-28-amd64".
func ParseVersion(release string) (Version, error) {
	parts := strings.SplitN(release, ".", 3)
	if len(parts) >= 2 {
		minor := parts[1]
		if i := strings.IndexFunc(minor, func(r rune) bool { return r < '0' || r > '9' }); i >= 0 {
			minor = minor[:i]
		}
		major, err1 := strconv.Atoi(parts[0])
		m, err2 := strconv.Atoi(minor)
		if err1 == nil && err2 == nil {
			return Version{major, m}, nil
		}
	}
	return Version{}, fmt.Errorf("kernel release %q does not begin with a version as in \"5.10\"", release)
}

// Less returns whether v is older than w.
func (v Version) Less(w Version) bool {
	return v.Major < w.Major || v.Major == w.Major && v.Minor < w.Minor
}

// String returns the version as in "5.10".
func (v Version) String() string { return fmt.Sprintf("%d.%d", v.Major, v.Minor) }

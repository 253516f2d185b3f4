// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package ebpfreceiver

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"

	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/kernel"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/kernel/kerneltest"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/program"
)

// Some kernels refuse trampolines, and on arm64 all do before Linux 6.4. So a hook that needs one is optional, or has another
// variant.
func TestHooksDoWithoutTrampolines(t *testing.T) {
	kerneltest.Require(t)
	types, err := kernel.LoadBTF("")
	require.NoError(t, err)
	host := &program.Host{
		Kernel:   &program.Kernel{Host: kernel.ThisHost(), BTF: types, Symbols: kernel.NewSymbols(), CgroupRoot: "/sys/fs/cgroup"},
		Settings: program.Settings{Logger: zap.NewNop()},
	}
	for _, definition := range programs {
		example := mustLoad(t, "programs: {"+definition.Name+": "+exampleOf(definition)+"}").Programs[definition.Name].config
		for _, config := range []program.Config{definition.DefaultConfig(), example} {
			hooks := definition.New(config, host).Hooks()
			require.NotEmpty(t, hooks, definition.Name)
			for _, hook := range hooks {
				if hook.Optional {
					continue
				}
				last := hook.Variants[len(hook.Variants)-1].Hook
				kind, _, _ := strings.Cut(last, "/")
				assert.NotContains(t, []string{"fentry", "fexit", "fmod_ret", "lsm"}, kind, "%s: %s", definition.Name, last)
			}
		}
	}
}

// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package ebpfreceiver

import (
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"

	"go.opentelemetry.io/collector/confmap"

	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/program"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/programs/connection"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/programs/diskio"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/programs/dns"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/programs/file"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/programs/filedescriptor"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/programs/oom"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/programs/packet"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/programs/packetdrop"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/programs/process"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/programs/runqueue"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/programs/syscalls"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/programs/tcp"
)

// programs are all programs of the receiver, in the order in which they are started.
var programs = []program.Definition{
	connection.Definition,
	packetdrop.Definition,
	oom.Definition,
	process.Definition,
	tcp.Definition,
	dns.Definition,
	runqueue.Definition,
	file.Definition,
	filedescriptor.Definition,
	syscalls.Definition,
	packet.Definition,
	diskio.Definition,
}

// Programs is the configuration block `programs`: the programs that are to run, by their names.
type Programs map[string]Program

// Program is one program that is to run. It keeps its configuration to itself, so that the collector's walk through the
// configuration calls Validate here and nowhere below, and an error has the path of the program's block.
type Program struct {
	config program.Config // nil: there is no program of that name
}

var (
	_ confmap.Unmarshaler = (*Programs)(nil)
	_ confmap.Marshaler   = Program{}
	_ confmap.Validator   = Program{}
)

// Unmarshal reads each block on top of the defaults of its program. An unknown program name is kept for Validate, so that it
// is reported together with all other errors.
func (p *Programs) Unmarshal(conf *confmap.Conf) error {
	blocks := conf.ToStringMap()
	*p = make(Programs, len(blocks))
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(blocks)) {
		config, err := unmarshalProgram(conf, name, blocks[name])
		errs = append(errs, err)
		(*p)[name] = Program{config: config}
	}
	return errors.Join(errs...)
}

// unmarshalProgram returns the configuration of one program, or nil if there is no such program.
func unmarshalProgram(conf *confmap.Conf, name string, block any) (program.Config, error) {
	i := slices.IndexFunc(programs, func(d program.Definition) bool { return d.Name == name })
	if i < 0 {
		return nil, nil
	}
	config := programs[i].DefaultConfig()
	if block == nil {
		return config, nil
	}
	if _, ok := block.(map[string]any); !ok {
		return config, fmt.Errorf("%s: %v is not a block of settings; write %s with nothing behind it to run the program, and leave it out for it not to run",
			name, block, name+":")
	}
	settings, err := conf.Sub(name)
	if err != nil {
		return config, err
	}
	if settings.IsSet("enabled") {
		settings.Delete("enabled")
		return config, fmt.Errorf("%s: enabled: a program runs when its key is there; leave %s out for it not to run", name, name)
	}
	if err := unmarshal(settings, config); err != nil {
		return config, fmt.Errorf("%s: %w", name, err)
	}
	return config, nil
}

// Marshal writes the program's configuration as its block.
func (p Program) Marshal(conf *confmap.Conf) error {
	if p.config == nil {
		return nil
	}
	return conf.Marshal(p.config)
}

// Validate returns the errors of the program's block, or an error that there is no such program.
func (p Program) Validate() error {
	if p.config == nil {
		return fmt.Errorf("there is no such program; the programs are %s", programNames())
	}
	return p.config.Validate()
}

// selected returns the programs that are to run, in the order of the list of programs, with their configurations.
func (p Programs) selected() iter.Seq2[program.Definition, program.Config] {
	return func(yield func(program.Definition, program.Config) bool) {
		for _, definition := range programs {
			if selected, ok := p[definition.Name]; ok && !yield(definition, selected.config) {
				return
			}
		}
	}
}

func programNames() string {
	names := make([]string, len(programs))
	for i, p := range programs {
		names[i] = p.Name
	}
	return strings.Join(names, ", ")
}

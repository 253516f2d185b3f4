// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package eventstoreexporter

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/config/confighttp"
	"go.opentelemetry.io/collector/config/configoptional"
	"go.opentelemetry.io/collector/exporter/exporterhelper"
)

// Config is the configuration of the exporter.
type Config struct {
	// ServerConfig is that of the HTTP server.
	ServerConfig confighttp.ServerConfig `mapstructure:",squash"`
	// Directory has the files. It belongs to one exporter.
	Directory string `mapstructure:"directory"`
	// MaxSize is how much of the disk they may take, the file at work aside.
	MaxSize Size `mapstructure:"max_size"`
	// MaxAge is how long events are kept; 0 is as long as there is room.
	MaxAge time.Duration `mapstructure:"max_age"`
	// AllowedHosts are further names of the server, as in the header Host.
	AllowedHosts []string `mapstructure:"allowed_hosts"`
	// QueueConfig is the queue in front of the store.
	QueueConfig configoptional.Optional[exporterhelper.QueueBatchConfig] `mapstructure:"sending_queue"`
}

const minMaxSize Size = 16 << 20

func createDefaultConfig() component.Config {
	server := confighttp.NewDefaultServerConfig()
	server.NetAddr.Endpoint = "localhost:8080"
	queue := exporterhelper.NewDefaultQueueConfig()
	// Events are stored in batches, in the order in which they come.
	queue.Sizer = exporterhelper.RequestSizerTypeItems
	queue.QueueSize = 100_000
	queue.NumConsumers = 1
	queue.Batch = configoptional.Some(exporterhelper.BatchConfig{
		FlushTimeout: 200 * time.Millisecond, Sizer: exporterhelper.RequestSizerTypeItems, MinSize: 5000,
	})
	return &Config{
		ServerConfig: server,
		Directory:    "/var/lib/otelcol-ebpf/events",
		MaxSize:      1 << 30,
		MaxAge:       7 * 24 * time.Hour,
		QueueConfig:  configoptional.Some(queue),
	}
}

// Validate implements xconfmap.Validator.
func (c *Config) Validate() error {
	var errs []error
	if c.Directory == "" {
		errs = append(errs, errors.New("directory: it must name a directory for the files of this exporter"))
	}
	if c.MaxSize < minMaxSize {
		errs = append(errs, fmt.Errorf("max_size: %d bytes are too few; the least is 16MiB", int64(c.MaxSize)))
	}
	if c.MaxAge < 0 {
		errs = append(errs, errors.New("max_age: it must not be negative; 0 keeps events as long as there is room"))
	}
	if c.ServerConfig.NetAddr.Endpoint == "" {
		errs = append(errs, errors.New("endpoint: it must be an address, such as localhost:8080"))
	}
	for _, host := range c.AllowedHosts {
		if host == "" || strings.ContainsAny(host, "/*@ ") {
			errs = append(errs, fmt.Errorf("allowed_hosts: %q is no name of a host: write it as clients do, such as events.example", host))
		}
	}
	return errors.Join(errs...)
}

// Size is a number of bytes. In the configuration it may have the unit KiB, MiB, GiB or TiB.
type Size int64

// UnmarshalText implements encoding.TextUnmarshaler.
func (s *Size) UnmarshalText(text []byte) error {
	number, shift := string(text), 0
	for i, unit := range []string{"KiB", "MiB", "GiB", "TiB"} {
		if n, ok := strings.CutSuffix(number, unit); ok {
			number, shift = strings.TrimSpace(n), 10*(i+1)
			break
		}
	}
	n, err := strconv.ParseInt(number, 10, 64)
	if err != nil || n < 0 || n > 1<<62>>shift {
		return fmt.Errorf("%q is not a size: write a number of bytes, or one with KiB, MiB, GiB or TiB, such as 1GiB", text)
	}
	*s = Size(n << shift)
	return nil
}

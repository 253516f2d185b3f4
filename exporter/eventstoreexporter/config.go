// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package eventstoreexporter

import (
	"errors"
	"fmt"
	"maps"
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/config/configcompression"
	"go.opentelemetry.io/collector/config/confighttp"
	"go.opentelemetry.io/collector/config/configoptional"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/exporter/exporterhelper"
)

// Config is the configuration of the exporter.
type Config struct {
	// ServerConfig configures the HTTP server.
	ServerConfig confighttp.ServerConfig `mapstructure:",squash"`
	// Directory is the directory of the files. Only one exporter may use it.
	Directory string `mapstructure:"directory"`
	// VictoriaLogs is a server that stores the events instead of files in Directory.
	VictoriaLogs configoptional.Optional[VictoriaLogsConfig] `mapstructure:"victorialogs"`
	// MaxSize bounds the size of the files, without the one that is being written.
	MaxSize Size `mapstructure:"max_size"`
	// MaxAge is how long events are kept; 0 means as long as MaxSize allows.
	MaxAge time.Duration `mapstructure:"max_age"`
	// AllowedHosts are additional names of the server that the header Host may have.
	AllowedHosts []string `mapstructure:"allowed_hosts"`
	// QueueConfig is the queue in front of the store.
	QueueConfig configoptional.Optional[exporterhelper.QueueBatchConfig] `mapstructure:"sending_queue"`
}

// VictoriaLogsConfig configures the connection to the server.
type VictoriaLogsConfig struct {
	// ClientConfig configures the HTTP client.
	ClientConfig confighttp.ClientConfig `mapstructure:",squash"`
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
	client := confighttp.NewDefaultClientConfig()
	client.Timeout = 30 * time.Second
	client.Compression = configcompression.TypeGzip
	return &Config{
		VictoriaLogs: configoptional.Default(VictoriaLogsConfig{ClientConfig: client}),
		ServerConfig: server,
		Directory:    "/var/lib/otelcol-ebpf/events",
		MaxSize:      1 << 30,
		MaxAge:       7 * 24 * time.Hour,
		QueueConfig:  configoptional.Some(queue),
	}
}

var _ confmap.Unmarshaler = (*Config)(nil)

// ofFiles are the settings that apply only to files.
var ofFiles = []string{"directory", "max_size", "max_age"}

// Unmarshal implements confmap.Unmarshaler. Directory has its default only without VictoriaLogs.
func (c *Config) Unmarshal(conf *confmap.Conf) error {
	if conf.IsSet("victorialogs") {
		for _, key := range ofFiles {
			if conf.IsSet(key) {
				return fmt.Errorf("%s: this setting applies only to files, but victorialogs is set; remove one of them", key)
			}
		}
		c.Directory = ""
	}
	if err := checkKeys(conf, reflect.TypeFor[Config](), ""); err != nil {
		return err
	}
	if server, err := conf.Sub("victorialogs"); err == nil { // another type of value is refused below
		if err := checkKeys(server, reflect.TypeFor[VictoriaLogsConfig](), "victorialogs::"); err != nil {
			return err
		}
	}
	return conf.Unmarshal(c)
}

// checkKeys refuses unknown keys. Confmap does not check them in a struct with embedded HTTP settings.
func checkKeys(conf *confmap.Conf, of reflect.Type, path string) error {
	known := keysOf(of)
	for _, key := range slices.Sorted(maps.Keys(conf.ToStringMap())) {
		if !slices.Contains(known, key) {
			return fmt.Errorf("%s%s: unknown key; the keys here are %s", path, key, strings.Join(known, ", "))
		}
	}
	return nil
}

// keysOf returns the keys of a struct, in their order.
func keysOf(of reflect.Type) []string {
	var keys []string
	for _, field := range reflect.VisibleFields(of) {
		if len(field.Index) > 1 {
			continue
		}
		switch name, options, _ := strings.Cut(field.Tag.Get("mapstructure"), ","); {
		case options == "squash":
			keys = append(keys, keysOf(field.Type)...)
		case name != "" && name != "-":
			keys = append(keys, name)
		}
	}
	return keys
}

// Validate implements xconfmap.Validator.
func (c *Config) Validate() error {
	var errs []error
	switch {
	case c.VictoriaLogs.HasValue() && c.Directory != "":
		errs = append(errs, errors.New("victorialogs: set either victorialogs or directory"))
	case c.VictoriaLogs.HasValue():
		errs = append(errs, validateServer(c.VictoriaLogs.Get().ClientConfig.Endpoint))
	case c.Directory == "":
		errs = append(errs, errors.New("directory: it is empty; write a directory for the files of this exporter, or set victorialogs"))
	}
	if c.MaxSize < minMaxSize {
		errs = append(errs, fmt.Errorf("max_size: %d bytes are too small; the least is 16MiB", int64(c.MaxSize)))
	}
	if c.MaxAge < 0 {
		errs = append(errs, errors.New("max_age: it is negative; 0 keeps events as long as there is room"))
	}
	if c.ServerConfig.NetAddr.Endpoint == "" {
		errs = append(errs, errors.New("endpoint: it is empty; write an address, such as localhost:8080"))
	}
	for _, host := range c.AllowedHosts {
		if host == "" || strings.ContainsAny(host, "/*@ ") {
			errs = append(errs, fmt.Errorf("allowed_hosts: %q is not a host name; write it as clients do, such as events.example", host))
		}
	}
	return errors.Join(errs...)
}

func validateServer(endpoint string) error {
	u, err := url.Parse(endpoint)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.RawQuery != "" {
		return fmt.Errorf("victorialogs::endpoint: %q is not the URL of a server, such as http://victorialogs:9428", endpoint)
	}
	return nil
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

// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

// Package validfileprovider reads the configuration from files, as the collector's own provider for `file:` does. When the
// configuration is read again, on SIGHUP, it first has the collector's executable validate what the files say now. If that is
// refused, the collector goes on with what they said before, where it would end otherwise. A SIGHUP while the collector starts does
// not end it either.
package validfileprovider

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"go.uber.org/zap"

	"go.opentelemetry.io/collector/confmap"
)

const (
	scheme = "file"
	// patience is how long the validation of a configuration may take.
	patience = 30 * time.Second
	// shutdownTime is longer than the collector usually takes to stop its components before it reads its configuration again.
	shutdownTime = 3 * time.Second
)

// errInvalid means that the configuration is refused. An error with another cause does not say whether it would be.
var errInvalid = errors.New("the configuration is not valid")

// NewFactory returns a factory of the provider, for the `providers` of an ocb manifest.
func NewFactory() confmap.ProviderFactory {
	return confmap.NewProviderFactory(func(set confmap.ProviderSettings) confmap.Provider {
		return newProvider(set.Logger, validate)
	})
}

// provider keeps what it has read, and gives that again where what the files say now is refused.
type provider struct {
	logger *zap.Logger
	// validate checks the whole configuration of this collector as its files are now.
	validate func(context.Context) error
	hangUps  hangUps

	mu sync.Mutex
	// read has the contents that are in use, by URI.
	read map[string][]byte
	// again reports that the configuration was in use, and is asked for once more.
	again bool
	// keep reports that the contents in use are given again.
	keep bool
}

func newProvider(logger *zap.Logger, validate func(context.Context) error) *provider {
	if logger == nil {
		logger = zap.NewNop()
	}
	return &provider{logger: logger, validate: validate, hangUps: hangUps{patience: shutdownTime}, read: map[string][]byte{}}
}

// Retrieve returns the contents of the file that a URI such as "file:/etc/otelcol-ebpf/config.yaml" names.
func (p *provider) Retrieve(ctx context.Context, uri string, changed confmap.WatcherFunc) (*confmap.Retrieved, error) {
	path, ok := strings.CutPrefix(uri, scheme+":")
	if !ok {
		return nil, fmt.Errorf("%q is no URI of a file: it has to begin with %q", uri, scheme+":")
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.hangUps.follow(changed)
	p.check(ctx)
	content, known := p.read[uri]
	if !p.keep || !known {
		var err error
		if content, err = os.ReadFile(filepath.Clean(path)); err != nil {
			return nil, fmt.Errorf("read the configuration: %w", err)
		}
		p.read[uri] = content
	}
	return confmap.NewRetrievedFromYAML(content, confmap.WithRetrievedClose(p.close))
}

// check decides, for the first file of a configuration that is read again, which contents all of them have.
func (p *provider) check(ctx context.Context) {
	if !p.again {
		return
	}
	p.again, p.keep = false, false
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	switch err := p.validate(ctx); {
	case err == nil:
	case errors.Is(err, errInvalid):
		p.keep = true
		p.logger.Error("Configuration not reloaded; the one before goes on", zap.Error(err))
	default:
		p.logger.Warn("Configuration not validated before its reload", zap.Error(err))
	}
}

// close is called for each of the contents in use before the configuration is read again.
func (p *provider) close(context.Context) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.again = true
	p.hangUps.reloads.Add(1)
	return nil
}

func (*provider) Scheme() string { return scheme }

func (p *provider) Shutdown(context.Context) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.hangUps.end()
	return nil
}

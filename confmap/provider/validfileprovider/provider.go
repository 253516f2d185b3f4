// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

// Package validfileprovider reads the configuration from files, as the collector's own provider for `file:` does. On a reload (SIGHUP),
// it first runs the collector's executable to validate the new contents of the files. If they are invalid, it returns the previous
// contents, so that the collector continues; without this provider it would end. A SIGHUP during the start does not end the collector
// either.
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

// errInvalid means that the configuration is invalid. After another error this is not known.
var errInvalid = errors.New("the configuration is not valid")

// NewFactory returns a factory of the provider, for the `providers` of an ocb manifest.
func NewFactory() confmap.ProviderFactory {
	return confmap.NewProviderFactory(func(set confmap.ProviderSettings) confmap.Provider {
		return newProvider(set.Logger, validate)
	})
}

// provider keeps the contents of the files in use, and returns them again if the new contents are invalid.
type provider struct {
	logger *zap.Logger
	// validate checks the whole configuration of this collector with the present contents of its files.
	validate func(context.Context) error
	hangUps  hangUps

	mu sync.Mutex
	// read has the contents in use, by URI.
	read map[string][]byte
	// again says that a configuration is in use, so that the next Retrieve is a reload.
	again bool
	// keep says that the reload returns the contents in use.
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
		return nil, fmt.Errorf("%q is not the URI of a file: it has to begin with %q", uri, scheme+":")
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

// check decides at the first file of a reload whether all files keep their contents.
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

// close is called for each file in use before a reload.
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

// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package validfileprovider

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"go.opentelemetry.io/collector/confmap"
)

// scene is a resolver with a configuration in two files. One includes the other.
type scene struct {
	resolver       *confmap.Resolver
	main, included string
	// verdict is the result of each validation, validations their number.
	verdict     error
	validations int
	logs        *observer.ObservedLogs
}

func newScene(t *testing.T) *scene {
	t.Helper()
	dir := t.TempDir()
	s := &scene{main: filepath.Join(dir, "main.yaml"), included: filepath.Join(dir, "included.yaml")}
	s.write(t, "first")
	core, logs := observer.New(zap.InfoLevel)
	s.logs = logs
	factory := confmap.NewProviderFactory(func(set confmap.ProviderSettings) confmap.Provider {
		return newProvider(set.Logger, func(context.Context) error {
			s.validations++
			return s.verdict
		})
	})
	var err error
	s.resolver, err = confmap.NewResolver(confmap.ResolverSettings{
		URIs:              []string{s.main},
		ProviderFactories: []confmap.ProviderFactory{factory},
		ProviderSettings:  confmap.ProviderSettings{Logger: zap.New(core)},
	})
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, s.resolver.Shutdown(context.WithoutCancel(t.Context()))) })
	return s
}

// write writes both files. The main one includes the other one twice.
func (s *scene) write(t *testing.T, value string) {
	t.Helper()
	text := fmt.Sprintf("main: %s\none: ${file:%s}\ntwo: ${file:%[2]s}\n", value, s.included)
	require.NoError(t, os.WriteFile(s.main, []byte(text), 0o600))
	require.NoError(t, os.WriteFile(s.included, []byte(value), 0o600))
}

// requireAll checks that the whole configuration has one value.
func (s *scene) requireAll(t *testing.T, value string) {
	t.Helper()
	conf, err := s.resolver.Resolve(t.Context())
	require.NoError(t, err)
	require.Equal(t, map[string]any{"main": value, "one": value, "two": value}, conf.ToStringMap())
}

func TestReload(t *testing.T) {
	s := newScene(t)
	s.requireAll(t, "first")
	assert.Zero(t, s.validations, "the collector itself checks its first configuration")

	s.write(t, "second")
	s.requireAll(t, "second")
	assert.Equal(t, 1, s.validations, "once for all files")

	s.write(t, "third")
	s.verdict = fmt.Errorf("%w: third", errInvalid)
	s.requireAll(t, "second")
	s.requireAll(t, "second")
	require.NoError(t, os.Remove(s.included))
	require.NoError(t, os.WriteFile(s.main, []byte("\tno YAML"), 0o600))
	s.requireAll(t, "second")
	assert.Equal(t, 4, s.validations)
	require.Len(t, s.logs.TakeAll(), 3)

	s.write(t, "fourth")
	s.verdict = nil
	s.requireAll(t, "fourth")
	assert.Empty(t, s.logs.All())
}

// If the configuration cannot be validated, the reload goes on as without this provider.
func TestReloadWithoutValidation(t *testing.T) {
	s := newScene(t)
	s.requireAll(t, "first")
	s.write(t, "second")
	s.verdict = errors.New("no process can be started")
	s.requireAll(t, "second")
	require.Equal(t, 1, s.logs.FilterMessage("Configuration not validated before its reload").Len())
}

// A SIGHUP during the start makes the collector read its configuration when it has started.
func TestHangUpDuringStart(t *testing.T) {
	path := filepath.Join(t.TempDir(), "config.yaml")
	require.NoError(t, os.WriteFile(path, []byte("a: b"), 0o600))
	p := newProvider(nil, func(context.Context) error { return nil })
	p.hangUps.patience = time.Millisecond
	changes := make(chan *confmap.ChangeEvent, 9)
	retrieved, err := p.Retrieve(t.Context(), "file:"+path, func(e *confmap.ChangeEvent) { changes <- e })
	require.NoError(t, err)
	self, err := os.FindProcess(os.Getpid())
	require.NoError(t, err)
	hangUp := func() { require.NoError(t, self.Signal(syscall.SIGHUP)) }
	hangUp()
	assert.NoError(t, (<-changes).Error)

	// The collector handles the signal by itself.
	require.NoError(t, p.Shutdown(t.Context()))
	p.hangUps.patience = 200 * time.Millisecond
	_, err = p.Retrieve(t.Context(), "file:"+path, func(e *confmap.ChangeEvent) { changes <- e })
	require.NoError(t, err)
	hangUp()
	time.Sleep(p.hangUps.patience / 4) // it stops its components
	require.NoError(t, retrieved.Close(t.Context()))
	time.Sleep(2 * p.hangUps.patience)
	assert.Empty(t, changes)
	require.NoError(t, p.Shutdown(t.Context()))
	require.NoError(t, p.Shutdown(t.Context()), "twice")
}

func TestRetrieveErrors(t *testing.T) {
	p := NewFactory().Create(confmap.ProviderSettings{})
	assert.Equal(t, "file", p.Scheme())
	_, err := p.Retrieve(t.Context(), "env:HOME", nil)
	require.ErrorContains(t, err, `"env:HOME" is not the URI of a file`)
	_, err = p.Retrieve(t.Context(), "file:"+filepath.Join(t.TempDir(), "missing"), nil)
	require.ErrorIs(t, err, os.ErrNotExist)
	require.NoError(t, p.Shutdown(t.Context()))
}

func TestValidateBy(t *testing.T) {
	shell := func(script string) error {
		return validateBy(exec.CommandContext(t.Context(), "/bin/sh", "-c", script))
	}
	require.NoError(t, shell("echo warning"))

	err := shell("echo 'Error: a mistake' >&2; exit 1")
	require.ErrorIs(t, err, errInvalid)
	assert.EqualError(t, err, "the configuration is not valid: a mistake")

	err = shell("kill -9 $$")
	require.Error(t, err)
	assert.NotErrorIs(t, err, errInvalid, "a validation that was ended says nothing")
	require.Error(t, validateBy(exec.CommandContext(t.Context(), filepath.Join(t.TempDir(), "missing"))))

	path, err := executable()
	require.NoError(t, err)
	assert.FileExists(t, path)
}

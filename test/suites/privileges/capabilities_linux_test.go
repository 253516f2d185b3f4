// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package privileges

import (
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/programs"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/restrict"
)

// restrictedTo is an ordinary user with only these capabilities, who cannot gain others.
func restrictedTo(set ...string) restrict.Restriction {
	user := &restrict.User{ID: nobody, Capabilities: programs.CapabilityNumbers(set...)}
	return restrict.Restriction{User: user, NoNewPrivileges: true}
}

// As an ordinary user with exactly the documented capabilities, a program reports everything.
func TestDocumentedCapabilitiesSuffice(t *testing.T) {
	for _, u := range uses() {
		t.Run(u.title(), func(t *testing.T) {
			tr := u.trial(t, restrictedTo(u.documented()...))
			c := tr.start(t)
			event := u.provoke(t, tr)
			for _, attribute := range u.Serves {
				assert.NotEmpty(t, event.Attributes[attribute], attribute)
			}
			assert.NoError(t, c.Stop())
			assert.NotContains(t, c.Log(), "\terror\t")
			assert.NotContains(t, c.Log(), "\twarn\t")
		})
	}
}

// If a capability is missing, either the collector does not start and names exactly that capability, or it logs once which
// feature it lacks.
func TestMissingCapabilityIsNamed(t *testing.T) {
	for _, u := range uses() {
		for _, missing := range u.documented() {
			t.Run(u.title()+" without "+missing, func(t *testing.T) {
				rest := slices.DeleteFunc(u.documented(), func(c string) bool { return c == missing })
				tr := u.trial(t, restrictedTo(rest...))
				attribute, optional := u.Serves[missing]
				if !optional {
					log := tr.fail(t)
					assert.Contains(t, log, missing+" is missing: run as root")
					for _, c := range rest {
						assert.NotContains(t, log, c+" is missing")
					}
					return
				}
				c := tr.start(t)
				for range 2 {
					assert.NotContains(t, u.provoke(t, tr).Attributes, attribute)
				}
				assert.NoError(t, c.Stop())
				assert.Equal(t, 1, strings.Count(c.Log(), missing+" ("), "said once: %s", c.Log())
				assert.NotContains(t, c.Log(), "\terror\t")
			})
		}
	}
}

// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package privileges

import (
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/restrict"
)

// restrictedTo is an ordinary user with these capabilities alone, which nothing can add to.
func restrictedTo(set ...string) restrict.Restriction {
	user := &restrict.User{ID: nobody}
	for _, c := range set {
		user.Capabilities = append(user.Capabilities, numbers[c])
	}
	return restrict.Restriction{User: user, NoNewPrivileges: true}
}

// With exactly what the table of capabilities lists, a program sees all that it is to see, as an ordinary user.
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

// Without one of them, the collector either does not start, and names it and only it; or it says so once and does
// without what that serves.
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

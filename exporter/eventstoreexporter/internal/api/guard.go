// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package api

import (
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"
)

// Guard checks which requests are allowed.
type Guard struct {
	// Hosts are the names that the header Host may have, in addition to addresses and localhost. Nil allows any name: the server
	// requires credentials, or no browser can reach it.
	Hosts []string
}

// Wrap keeps web pages of other hosts from reading the answers. With DNS rebinding, the header Host has a name that the page's author
// has chosen. For other requests, browsers say in Origin and Sec-Fetch-Site which page asks.
func (g Guard) Wrap(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		if h.Get("Content-Security-Policy") == "" {
			h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
		}
		if !g.isHost(r.Host) {
			refuse(w, http.StatusMisdirectedRequest, "the header Host has "+quoted(r.Host)+
				", which is not a name of this server. List its names in allowed_hosts of event_store.")
			return
		}
		// The collector's handler for CORS has allowed it.
		allowed := h.Get("Access-Control-Allow-Origin") != ""
		if !allowed {
			h.Set("Cross-Origin-Resource-Policy", "same-origin")
			if !isOwn(r) {
				refuse(w, http.StatusForbidden, "a page of another host asks. List its origin in cors::allowed_origins of event_store.")
				return
			}
		}
		next.ServeHTTP(w, r)
	})
}

func quoted(s string) string { return sprintf("%q", s) }

func refuse(w http.ResponseWriter, status int, detail string) {
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(status)
	_ = writeJSON(w, &huma.ErrorModel{Status: status, Title: http.StatusText(status), Detail: detail}) // the client may have left
}

// isHost reports whether the server has this name. Any address is allowed: rebinding needs a name.
func (g Guard) isHost(host string) bool {
	if g.Hosts == nil {
		return true
	}
	name := nameOf(host)
	if _, err := netip.ParseAddr(strings.Trim(name, "[]")); err == nil {
		return true
	}
	return name == "localhost" || slices.ContainsFunc(g.Hosts, func(allowed string) bool { return nameOf(allowed) == name })
}

// nameOf returns a host without its port, in the form in which two can be compared.
func nameOf(host string) string {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	return strings.ToLower(strings.TrimSuffix(host, "."))
}

// isOwn reports whether a request comes from no web page, or from a page of this server.
func isOwn(r *http.Request) bool {
	for _, origin := range r.Header.Values("Origin") {
		u, err := url.Parse(origin)
		if err != nil || u.User != nil || !strings.EqualFold(u.Host, r.Host) {
			return false
		}
	}
	switch r.Header.Get("Sec-Fetch-Site") {
	case "cross-site", "same-site": // a link to here is fine
		return r.Header.Get("Sec-Fetch-Mode") == "navigate" && r.Header.Get("Sec-Fetch-Dest") == "document" && r.Method == http.MethodGet
	}
	return true
}

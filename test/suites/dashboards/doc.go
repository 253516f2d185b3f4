// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

// Package dashboards runs the queries of deploy/grafana and the rules of deploy/prometheus in Debian's Prometheus, on what the built
// collector reports of real traffic: no alert fires on a healthy host, each alert fires in its trouble, and each panel has data.
package dashboards

// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"strings"
)

// onHosts selects the series of the hosts that the user has selected, whatever the scraped port is.
const onHosts = `instance=~"$host(:[0-9]+)?"`

// of selects series of a metric.
func of(metric string, matchers ...string) string {
	return metric + "{" + strings.Join(append([]string{onHosts}, matchers...), ", ") + "}"
}

func rate(metric string, matchers ...string) string {
	return "rate(" + of(metric, matchers...) + "[$__rate_interval])"
}

// orZero adds a 0 for receivers without the series: a counter that never counted has none.
func orZero(query string) string { return query + " or 0 * sum(" + of(state) + ")" }

// by adds up series that have these labels in common, separated by commas.
func by(labels, query string) string {
	if labels == "" {
		return "sum(" + query + ")"
	}
	return "sum by (" + labels + ") (" + query + ")"
}

// most keeps the greatest series, as many as a legend can hold.
func most(query string) string { return "topk(10, " + query + ")" }

// whose adds the label whose for people: the short id of the container, as the event store takes it, otherwise the unit, otherwise the host.
func whose(query string) string {
	for _, from := range []struct{ label, shown string }{{"instance", "(.*)"}, {"systemd_unit_name", "(.+)"}, {"container_id", "(.{12}).*"}} {
		query = fmt.Sprintf(`label_replace(%s, "whose", "$1", %q, %q)`, query, from.label, from.shown)
	}
	return query
}

// quantile is a quantile of a histogram, by labels.
func quantile(q float64, labels, metric string) string {
	if labels != "" {
		labels += ", "
	}
	return fmt.Sprintf("histogram_quantile(%v, %s)", q, by(labels+"le", rate(metric+"_bucket")))
}

// quantiles are the series of the median, the 95th and the 99th percentile.
func quantiles(metric string) (all []series) {
	for _, q := range []float64{0.5, 0.95, 0.99} {
		all = append(all, series{quantile(q, "", metric), fmt.Sprintf("%v %% are faster", q*100)})
	}
	return all
}

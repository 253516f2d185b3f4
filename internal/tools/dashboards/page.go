// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"strings"

	"github.com/grafana/grafana-foundation-sdk/go/common"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
)

const (
	docs = "https://github.com/otelcol-ebpf/otelcol-ebpf/blob/main/docs/"
	tag  = "otelcol-ebpf"
	// gridWidth is the number of columns of a dashboard.
	gridWidth = 24
)

// source is the data source that the user selects at the top of the dashboard.
var source = common.DataSourceRef{Type: new("prometheus"), Uid: new("${datasource}")}

// page is a dashboard: rows of panels of equal width.
type page struct {
	title, description string
	// programs are those whose metrics it shows, if it does not show those of all programs.
	programs []string
	rows     []row
}

type row struct {
	title  string
	panels []panel
}

// build returns the dashboard. Its uid is its name in URLs, and keeps it one dashboard when it is imported again.
func (p *page) build(uid string) (any, error) {
	description := p.description
	if len(p.programs) > 0 {
		description += " Programs: " + strings.Join(p.programs, ", ") + "."
	}
	b := dashboard.NewDashboardBuilder(p.title) //nolint:staticcheck // every Grafana reads this version of the format
	b.Uid(uid).
		Description(description).
		Tags([]string{tag}).
		Editable().
		Tooltip(dashboard.DashboardCursorSyncCrosshair).
		Time("now-1h", "now").
		Refresh("30s").
		Timezone("browser").
		WithVariable(dashboard.NewDatasourceVariableBuilder("datasource").Label("Data source").Type("prometheus")).
		WithVariable(hosts()).
		Link(dashboard.NewDashboardLinkBuilder("Other dashboards").Type(dashboard.DashboardLinkTypeDashboards).
			Tags([]string{tag}).IncludeVars(true).KeepTime(true)).
		Link(documentation("Alerts", "alerts.md")).
		Link(documentation("Metrics", "events-and-metrics.md"))
	id := uint32(0)
	for _, r := range p.rows {
		id++
		b.WithRow(dashboard.NewRowBuilder(r.title).Id(id))
		for _, one := range r.panels {
			id++
			b.WithPanel(one.placed(id, uint32(gridWidth/len(r.panels))))
		}
	}
	return b.Build()
}

// hosts is the variable with the hosts, without ports: a collector is scraped at two, one of which has its own metrics.
func hosts() *dashboard.QueryVariableBuilder {
	const query = "label_values(ebpf_program_state, instance)"
	return dashboard.NewQueryVariableBuilder("host").
		Label("Host").
		Datasource(source).
		Query(dashboard.StringOrMap{Map: map[string]any{"query": query, "refId": "hosts"}}).
		Definition(query).
		Regex(`/^(.+?)(?::[0-9]+)?$/`).
		Refresh(dashboard.VariableRefreshOnTimeRangeChanged).
		Sort(dashboard.VariableSortNaturalAsc).
		Multi(true).
		IncludeAll(true).
		AllValue(".*").
		Current(dashboard.VariableOption{
			Text:  dashboard.StringOrArrayOfString{ArrayOfString: []string{"All"}},
			Value: dashboard.StringOrArrayOfString{ArrayOfString: []string{"$__all"}},
		})
}

func documentation(title, path string) *dashboard.DashboardLinkBuilder {
	return dashboard.NewDashboardLinkBuilder(title).Type(dashboard.DashboardLinkTypeLink).Icon("doc").Url(docs + path).TargetBlank(true)
}

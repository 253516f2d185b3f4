// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"

	"github.com/grafana/grafana-foundation-sdk/go/cog"
	"github.com/grafana/grafana-foundation-sdk/go/common"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
	"github.com/grafana/grafana-foundation-sdk/go/prometheus"
	"github.com/grafana/grafana-foundation-sdk/go/stat"
	"github.com/grafana/grafana-foundation-sdk/go/table"
	"github.com/grafana/grafana-foundation-sdk/go/timeseries"
)

const (
	linesHeight  = 8
	numberHeight = 4
)

// panel is a panel of a row, without a place in the grid.
type panel interface {
	placed(id, width uint32) cog.Builder[dashboard.Panel]
}

// series are lines of a panel: a query, and the legend of each of its series.
type series struct{ query, legend string }

func (s series) target(index int) *prometheus.DataqueryBuilder {
	return prometheus.NewDataqueryBuilder().RefId(fmt.Sprintf("%c", 'A'+index)).Datasource(source).Expr(s.query).LegendFormat(s.legend)
}

// lines are time series.
type lines struct {
	// help says what the panel shows, and what to do if it looks bad.
	title, unit, help string
	of                []series
}

func (l lines) placed(id, width uint32) cog.Builder[dashboard.Panel] {
	b := timeseries.NewPanelBuilder().
		Id(id).Title(l.title).Description(l.help).Datasource(source).Unit(l.unit).Span(width).Height(linesHeight).
		Min(0).FillOpacity(10).LineWidth(1).ShowPoints(common.VisibilityModeNever).
		Legend(common.NewVizLegendOptionsBuilder().ShowLegend(true).DisplayMode(common.LegendDisplayModeTable).
			Placement(common.LegendPlacementBottom).Calcs([]string{"lastNotNull", "max"}).SortBy("Max").SortDesc(true)).
		Tooltip(common.NewVizTooltipOptionsBuilder().Mode(common.TooltipDisplayModeMulti).Sort(common.SortOrderDescending))
	for i, s := range l.of {
		b.WithTarget(s.target(i))
	}
	return b
}

// number is the present value of a query that has one series.
type number struct {
	title, unit, help, query string
	// warn and bad are the values from which on the number is yellow and red. Without, it has no colour.
	warn, bad float64
}

func (n number) placed(id, width uint32) cog.Builder[dashboard.Panel] {
	steps := []dashboard.Threshold{{Color: "text"}}
	if n.bad > 0 {
		steps = []dashboard.Threshold{{Color: "green"}, {Color: "yellow", Value: &n.warn}, {Color: "red", Value: &n.bad}}
	}
	return stat.NewPanelBuilder().
		Id(id).Title(n.title).Description(n.help).Datasource(source).Unit(n.unit).Span(width).Height(numberHeight).
		ReduceOptions(common.NewReduceDataOptionsBuilder().Calcs([]string{"lastNotNull"})).
		ColorMode(common.BigValueColorModeValue).GraphMode(common.BigValueGraphModeArea).
		Thresholds(dashboard.NewThresholdsConfigBuilder().Mode(dashboard.ThresholdsModeAbsolute).Steps(steps)).
		WithTarget(series{n.query, n.title}.target(0))
}

// list is a table of the present series of a query, with a column per label.
type list struct {
	title, help, query string
	// columns are the titles of labels, in the order of the columns.
	columns []column
	// colours are those of values.
	colours map[string]string
}

type column struct{ label, title string }

func (l list) placed(id, width uint32) cog.Builder[dashboard.Panel] {
	order, titles := map[string]any{}, map[string]any{}
	for i, c := range l.columns {
		order[c.label], titles[c.label] = i, c.title
	}
	mapped := dashboard.NewValueMap()
	for value, colour := range l.colours {
		mapped.Options[value] = dashboard.ValueMappingResult{Color: new(colour)}
	}
	return table.NewPanelBuilder().
		Id(id).Title(l.title).Description(l.help).Datasource(source).Unit("none").Span(width).Height(2 * linesHeight).
		Mappings([]dashboard.ValueMapping{{ValueMap: mapped}}).
		CellOptions(common.TableCellOptions{TableColorTextCellOptions: common.NewTableColorTextCellOptions()}).
		WithTransformation(dashboard.DataTransformerConfig{Id: "organize", Options: map[string]any{
			"excludeByName": map[string]any{"Time": true, "Value": true}, "indexByName": order, "renameByName": titles,
		}}).
		WithTarget(series{query: l.query}.target(0).Format(prometheus.PromQueryFormatTable).Instant())
}

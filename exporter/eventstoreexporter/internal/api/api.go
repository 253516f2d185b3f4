// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

// Package api answers questions about the events of a store over HTTP.
package api

import (
	"context"
	"errors"
	"net/http"
	"reflect"
	"runtime"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
	"go.uber.org/zap"

	"github.com/otelcol-ebpf/otelcol-ebpf/exporter/eventstoreexporter/internal/page"
	"github.com/otelcol-ebpf/otelcol-ebpf/exporter/eventstoreexporter/internal/query"
)

// Settings are what the API needs.
type Settings struct {
	Store   query.Store
	Version string
	Logger  *zap.Logger
	// Now is the clock, nil for time.Now.
	Now func() time.Time
	// Done is closed when streams must end.
	Done <-chan struct{}
	// Directory is where databases for downloads are made; "" means the directory of temporary files.
	Directory string
}

// api is the handler of all requests.
type api struct {
	Settings
	huma huma.API
	mux  *http.ServeMux
	// turns has a place for each request that is answered at the same time.
	turns chan struct{}
	// shared are what several clients of streams get.
	shared shared
}

// places returns how many requests are answered at the same time: more for VictoriaLogs, where requests mostly wait for the server.
func places(store query.Store) int {
	if store.Status().Sparse {
		return 16
	}
	return max(2, runtime.GOMAXPROCS(0))
}

// turn answers a request when a place is free. The number of places is limited so that the writer gets enough CPU.
func (a *api) turn(ctx context.Context, answer func() error) error {
	select {
	case a.turns <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-a.turns }()
	return answer()
}

// New returns the handler of the API.
func New(settings Settings) http.Handler {
	if settings.Now == nil {
		settings.Now = time.Now
	}
	config := huma.DefaultConfig("Event store", settings.Version)
	config.Info.Description = "Recent events of this host, from the exporter event_store of the OpenTelemetry Collector."
	config.DocsPath, config.SchemasPath, config.CreateHooks = "", "", nil // huma's own pages load scripts from other hosts
	a := &api{Settings: settings, mux: http.NewServeMux(), turns: make(chan struct{}, places(settings.Store))}
	a.huma = humago.New(a.mux, config)
	a.health()
	a.events()
	a.stream()
	a.summary()
	a.problems()
	a.programs()
	a.predecessor()
	a.docs()
	page.Register(a.mux)
	return a.mux
}

// input has the parameters of a request.
type input struct {
	request *query.Request
}

const parametersKey = "parameters"

// Resolve reads the parameters. Huma puts the returned errors into one problem document.
func (in *input) Resolve(ctx huma.Context) []error {
	allowed, _ := ctx.Operation().Metadata[parametersKey].([]query.Parameter)
	now, _ := ctx.Operation().Metadata[nowKey].(func() time.Time)
	url := ctx.URL()
	request, bad := query.Parse(url.RawQuery, allowed, now())
	in.request = request
	errs := make([]error, len(bad))
	for i, b := range bad {
		errs[i] = &huma.ErrorDetail{Location: "query." + b.Parameter, Value: b.Value, Message: b.Message}
	}
	return errs
}

const nowKey = "now"

// output is the answer of an operation.
type output[T any] struct {
	Status  int
	Partial string `header:"Event-Store-Partial" doc:"Why the answer is not complete, if it is not."`
	Body    T
}

// get adds an operation that answers with a Go value.
func get[T any](a *api, path, id, summary string, parameters []query.Parameter, answer func(context.Context, *query.Request) (T, error)) {
	huma.Register(a.huma, a.operation(http.MethodGet, path, id, summary, parameters),
		func(ctx context.Context, in *input) (*output[T], error) {
			ctx, notes := query.WithNotes(ctx)
			var body T
			work := func() (err error) {
				body, err = answer(ctx, in.request)
				return err
			}
			var err error
			if path == healthPath { // health checks have short time-outs
				err = work()
			} else {
				err = a.turn(ctx, work)
			}
			if err != nil {
				return nil, a.failure(err)
			}
			if about, ok := any(body).(interface{ setPartial(list []string) }); ok {
				about.setPartial(notes.All())
			}
			status := http.StatusOK
			if s, ok := any(body).(interface{ status() int }); ok {
				status = s.status()
			}
			return &output[T]{Status: status, Partial: strings.Join(notes.All(), "; "), Body: body}, nil
		})
}

// getStream adds an operation that writes its answer itself.
func getStream(a *api, op huma.Operation, answer func(huma.Context, *query.Request) error) {
	huma.Register(a.huma, op, func(_ context.Context, in *input) (*huma.StreamResponse, error) {
		return &huma.StreamResponse{Body: func(ctx huma.Context) {
			if err := answer(ctx, in.request); err != nil {
				refused := a.failure(err)
				var details []error
				if model, ok := refused.(*huma.ErrorModel); ok {
					for _, detail := range model.Errors {
						details = append(details, detail)
					}
				}
				_ = huma.WriteErr(a.huma, ctx, refused.GetStatus(), refused.Error(), details...) // the client may have left
			}
		}}, nil
	})
}

func (a *api) operation(method, path, id, summary string, parameters []query.Parameter) huma.Operation {
	op := huma.Operation{
		Method: method, Path: path, OperationID: id, Summary: summary,
		Metadata: map[string]any{parametersKey: parameters, nowKey: a.Now},
		Errors:   []int{http.StatusUnprocessableEntity, http.StatusInternalServerError},
	}
	for _, p := range parameters {
		schema := &huma.Schema{Type: p.Type}
		for _, value := range p.Enum {
			schema.Enum = append(schema.Enum, value)
		}
		param := &huma.Param{Name: p.Name, In: "query", Description: p.Doc, Schema: schema}
		if p.Default != "" {
			param.Description += " Without it: " + p.Default + "."
		}
		if p.Example != "" {
			param.Example = p.Example
		}
		op.Parameters = append(op.Parameters, param)
		if p.Name == "type" {
			op.Description = "Attributes are found by parameters with the prefix " + query.AttributePrefix +
				", such as " + query.AttributePrefix + "network.transport=udp."
		}
	}
	return op
}

// failure returns the error for a client. Errors of the store are logged, and the client gets no details.
func (a *api) failure(err error) huma.StatusError {
	if refused, ok := errors.AsType[huma.StatusError](err); ok {
		return refused
	}
	if refused, ok := errors.AsType[*query.RefusedError](err); ok {
		return badParameter(refused.Parameter, refused.Value, "%s", refused.Message)
	}
	a.Logger.Error("Cannot answer a request", zap.Error(err))
	return huma.Error500InternalServerError("the store cannot answer: the collector's log says why")
}

// schemaOf describes an answer that is not written by huma.
func (a *api) schemaOf(value any) *huma.Schema {
	return a.huma.OpenAPI().Components.Schemas.Schema(reflect.TypeOf(value), true, "")
}

// About is the part of each answer about the store.
type About struct {
	Oldest  *time.Time       `json:"oldest" doc:"How far back the store reaches; null if it is empty."`
	Evicted int64            `json:"evicted" doc:"Events that were removed to make room or because of their age, since the start."`
	Lost    map[string]int64 `json:"lost" doc:"Events that were not stored since the start, by cause."`
	Partial []string         `json:"partial,omitempty" doc:"Why the answer is not complete; absent if it is."`
}

func (a *About) setPartial(list []string) { a.Partial = list }

func (a *api) about() About {
	status := a.Store.Status()
	about := About{Evicted: status.Evicted, Lost: status.Lost}
	if status.Oldest != 0 {
		at := time.Unix(0, status.Oldest).UTC()
		about.Oldest = &at
	}
	return about
}

// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package usecases

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os/exec"
	"strings"
	"testing"

	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testenv"
)

// row is one line of a result: a series with its labels and its value, or an object.
type row map[string]string

// valueKey is the key of the value in a row of PromQL.
const valueKey = "value"

func (b *backends) promQL(query string) (rows []row, err error) {
	text, err := ask(b.prometheus+"/api/v1/query", query)
	if err != nil {
		return nil, err
	}
	var answer struct {
		Data struct {
			ResultType string
			Result     []struct {
				Metric row
				Value  [2]any
			}
		}
	}
	if err := json.Unmarshal(text, &answer); err != nil {
		return nil, err
	}
	for _, r := range answer.Data.Result {
		if r.Metric == nil {
			r.Metric = row{}
		}
		r.Metric[valueKey] = fmt.Sprint(r.Value[1])
		rows = append(rows, r.Metric)
	}
	return rows, nil
}

func (b *backends) logsQL(query string) ([]row, error) {
	text, err := ask(b.victoriaLogs+"/select/logsql/query", query)
	if err != nil {
		return nil, err
	}
	return objects(text)
}

// ask posts a query and returns the answer.
func ask(api, query string) ([]byte, error) {
	response, err := http.PostForm(api, url.Values{"query": {query}})
	if err != nil {
		return nil, err
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", response.Status, text)
	}
	return text, err
}

// jq runs a command of the page on this collector's file. It runs in the root of the repository, as for readers.
func (b *backends) jq(t *testing.T, command string) ([]row, error) {
	t.Helper()
	cmd := exec.Command("bash", "-euo", "pipefail", "-c", strings.ReplaceAll(command, "/var/log/otelcol-ebpf/events.json", b.events))
	cmd.Dir = testenv.Repository(t, ".")
	text, err := cmd.Output()
	if failed := (*exec.ExitError)(nil); errors.As(err, &failed) {
		err = fmt.Errorf("%w: %s", err, failed.Stderr)
	}
	if err != nil {
		return nil, err
	}
	return objects(text)
}

// objects reads a sequence of JSON objects and converts their values to text.
func objects(text []byte) (rows []row, err error) {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	for {
		var object map[string]any
		if err := decoder.Decode(&object); errors.Is(err, io.EOF) {
			return rows, nil
		} else if err != nil {
			return nil, fmt.Errorf("%w: %s", err, text)
		}
		r := row{}
		for key, value := range object {
			r[key] = fmt.Sprint(value)
		}
		rows = append(rows, r)
	}
}

// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package collector

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Labels are the labels of a series by their names.
type Labels map[string]string

// Sample is one line of a Prometheus page.
type Sample struct {
	Name   string
	Labels Labels
	Value  float64
	// Time is the time of the measurement; zero without send_timestamps.
	Time time.Time
}

// Page is a Prometheus page in the text format.
type Page []Sample

// ReadPage gets and parses the page at a URL.
func ReadPage(url string) (Page, error) {
	response, err := http.Get(url)
	if err != nil {
		return nil, err
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s answers %s", url, response.Status)
	}
	return ParsePage(response.Body)
}

// ParsePage parses a page.
func ParsePage(text io.Reader) (page Page, err error) {
	lines := bufio.NewScanner(text)
	for lines.Scan() {
		line := lines.Text()
		if line == "" || line[0] == '#' {
			continue
		}
		s, err := parseSample(line)
		if err != nil {
			return nil, fmt.Errorf("%w: %s", err, line)
		}
		page = append(page, s)
	}
	return page, lines.Err()
}

func parseSample(line string) (s Sample, err error) {
	i := strings.IndexAny(line, "{ ")
	if i < 0 {
		return s, errors.New("no value")
	}
	s.Name, line = line[:i], line[i:]
	if line[0] == '{' {
		if s.Labels, line, err = parseLabels(line[1:]); err != nil {
			return s, err
		}
	}
	fields := strings.Fields(line)
	if len(fields) == 0 {
		return s, errors.New("no value")
	}
	if s.Value, err = strconv.ParseFloat(fields[0], 64); err != nil {
		return s, err
	}
	if len(fields) > 1 {
		ms, err := strconv.ParseInt(fields[1], 10, 64)
		if err != nil {
			return s, err
		}
		s.Time = time.UnixMilli(ms)
	}
	return s, nil
}

// parseLabels parses labels up to the closing brace, and returns the rest of the line.
func parseLabels(text string) (labels Labels, rest string, err error) {
	labels = Labels{}
	for text != "" && text[0] != '}' {
		name, value, ok := strings.Cut(text, "=")
		if !ok {
			break
		}
		quoted, err := strconv.QuotedPrefix(value)
		if err != nil {
			return nil, "", err
		}
		if labels[name], err = strconv.Unquote(quoted); err != nil {
			return nil, "", err
		}
		text = strings.TrimPrefix(value[len(quoted):], ",")
	}
	if !strings.HasPrefix(text, "}") {
		return nil, "", errors.New("no closing brace after the labels")
	}
	return labels, text[1:], nil
}

// Find returns the samples of a metric that have all of the labels. An empty value matches an absent label.
func (p Page) Find(name string, labels Labels) (found Page) {
	for _, s := range p {
		if s.Name == name && s.has(labels) {
			found = append(found, s)
		}
	}
	return found
}

func (s *Sample) has(labels Labels) bool {
	for name, value := range labels {
		if s.Labels[name] != value {
			return false
		}
	}
	return true
}

// Sum returns the sum of the samples that Find returns.
func (p Page) Sum(name string, labels Labels) (sum float64) {
	for _, s := range p.Find(name, labels) {
		sum += s.Value
	}
	return sum
}

// Time returns the latest time of all samples.
func (p Page) Time() (latest time.Time) {
	for _, s := range p {
		if s.Time.After(latest) {
			latest = s.Time
		}
	}
	return latest
}

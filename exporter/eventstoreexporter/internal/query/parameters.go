// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package query

import (
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/otelcol-ebpf/otelcol-ebpf/exporter/eventstoreexporter/internal/event"
)

// AttributePrefix is that of parameters that are named after an attribute.
const AttributePrefix = "attr."

// Bounds of parameters.
const (
	DefaultLimit = 100
	MaxLimit     = 10_000
	MaxBackfill  = 1_000
	MaxSteps     = 10_000
)

// Request has the parsed parameters of a request. Each operation takes some of them.
type Request struct {
	Filter
	Limit     int
	Ascending bool
	After     string
	Format    string
	By        []Key
	Step      time.Duration
	// Seconds is the length of a window that ends now, 0 without one.
	Seconds int64
}

// Bad is an invalid parameter.
type Bad struct {
	Parameter string
	Value     string
	// Message says what is allowed.
	Message string
}

// Parameter is one that a request may have.
type Parameter struct {
	Name string
	// Type and Enum are for the description of the API.
	Type    string
	Enum    []string
	Default string
	Example string
	Doc     string
	parse   func(r *Request, value string, now time.Time) error
}

// filters are the parameters that say which events are wanted.
var filters = []Parameter{
	{
		Name: "type", Type: "string", Example: "connection", parse: parseType,
		Doc: "Name of the event (ebpf.connection.connect), program (connection, packet_drop), or beginning of either with a * (ebpf.connection.*). " +
			"Several are separated by commas.",
	},
	{Name: "pid", Type: "integer", Example: "4242", Doc: "Process id of the owner.", parse: integerField(event.PID, 1<<32-1)},
	{Name: "command", Type: "string", Example: "curl", Doc: "Base name of the owner's executable.", parse: textField(event.Executable)},
	{Name: "container", Type: "string", Doc: "Id of the container.", parse: textField(event.Container)},
	{Name: "unit", Type: "string", Example: "nginx.service", Doc: "Unit of systemd.", parse: textField(event.Unit)},
	{
		Name: "address", Type: "string", Example: "10.0.0.5", parse: parseAddress,
		Doc: "Address of either side: an IP address, or the path of a unix socket.",
	},
	{Name: "port", Type: "integer", Example: "443", Doc: "Port of either side.", parse: func(r *Request, value string, _ time.Time) error {
		port, err := integer(value, 1<<16-1)
		r.Port = &port
		return err
	}},
	{Name: "error", Type: "string", Example: "refused", Doc: "How it failed (error.type).", parse: textField(event.Error)},
	{Name: "reason", Type: "string", Example: "netfilter_drop", Doc: "Why a packet was dropped or a connection reset.", parse: textField(event.Reason)},
	{
		Name: "cookie", Type: "integer", Doc: "Number of the socket (ebpf.socket.cookie): all events of one connection.",
		parse: integerField(event.Cookie, 1<<63-1),
	},
	{Name: "severity", Type: "string", Enum: []string{"trace", "debug", "info", "warn", "error", "fatal"}, Doc: "The lowest severity.", parse: parseSeverity},
	{Name: "since", Type: "string", Example: "15m", Doc: "Events from this time on: RFC 3339, or how long ago.", parse: func(r *Request, value string, now time.Time) (err error) {
		r.Since, err = parseTime(value, now)
		return err
	}},
	{Name: "until", Type: "string", Example: "2026-11-27T08:00:00Z", Doc: "Events before this time: RFC 3339, or how long ago.", parse: func(r *Request, value string, now time.Time) (err error) {
		r.Until, err = parseTime(value, now)
		return err
	}},
}

// others are the parameters that are not filters.
var others = map[string]Parameter{
	"limit": {Name: "limit", Type: "integer", Default: strconv.Itoa(DefaultLimit), Doc: "How many events, at most " + strconv.Itoa(MaxLimit) + ".", parse: parseLimit(MaxLimit)},
	"backfill": {
		Name: "limit", Type: "integer", Default: strconv.Itoa(DefaultLimit), Doc: "How many of the last events come first, at most " + strconv.Itoa(MaxBackfill) + ".",
		parse: parseLimit(MaxBackfill),
	},
	"after": {Name: "after", Type: "string", Doc: "The field next of the page before.", parse: func(r *Request, value string, _ time.Time) error {
		r.After = value
		_, err := ParseCursor(value)
		return err
	}},
	"from": {Name: "after", Type: "integer", Doc: "Number of the last event that was received, instead of the header Last-Event-ID.", parse: func(r *Request, value string, _ time.Time) error {
		r.After = value
		_, err := integer(value, 1<<63-1)
		return err
	}},
	"order": {Name: "order", Type: "string", Enum: []string{"asc", "desc"}, Default: "desc", Doc: "By time: the oldest first (asc) or the newest (desc).", parse: func(r *Request, value string, _ time.Time) error {
		r.Ascending = value == "asc"
		return oneOf(value, "asc", "desc")
	}},
	"format": {Name: "format", Type: "string", Enum: Formats, Default: "json", Doc: "Form of the answer.", parse: func(r *Request, value string, _ time.Time) error {
		r.Format = value
		return oneOf(value, Formats...)
	}},
	"form": {Name: "format", Type: "string", Enum: Forms, Default: "json", Doc: "Form of the answer.", parse: func(r *Request, value string, _ time.Time) error {
		r.Format = value
		return oneOf(value, Forms...)
	}},
	"by": {Name: "by", Type: "string", Example: "command,error", Default: "type", Doc: "Fields that events are counted by, separated by commas: " +
		strings.Join(slices.Sorted(maps.Keys(keys)), ", ") + " or attr.NAME. An address and a port are those of the server or destination.", parse: parseBy},
	"step": {Name: "step", Type: "string", Example: "10s", Doc: "Length of the parts of time that are counted apart.", parse: func(r *Request, value string, _ time.Time) (err error) {
		r.Step, err = ParseDuration(value)
		if err == nil && r.Step < time.Millisecond {
			err = errors.New("it must be 1ms or longer")
		}
		return err
	}},
	"window": {Name: "since", Type: "string", Example: "15m", Default: "15m", Doc: "Length of the window up to now, or RFC 3339.", parse: func(r *Request, value string, now time.Time) (err error) {
		r.Since, err = parseTime(value, now)
		return err
	}},
}

// MaxSeconds is the longest window of the predecessor's requests: a year.
const MaxSeconds = 365 * 24 * 60 * 60

// Old are the parameters of the predecessor's requests, which had two names for the length of the window.
var Old = []Parameter{
	{Name: "pid", Type: "integer", Doc: "Process id of the owner; 0 is any.", parse: func(r *Request, value string, _ time.Time) error {
		number, err := integer(value, 1<<32-1)
		if number != 0 {
			r.field(event.PID, number)
		}
		return err
	}},
	{Name: "command", Type: "string", Doc: "Base name of the owner's executable.", parse: textField(event.Executable)},
	{Name: "duration", Type: "integer", Default: "60", Doc: "Length of the window in seconds.", parse: parseSeconds},
	{Name: "duration_seconds", Type: "integer", Default: "60", Doc: "Another name of duration.", parse: parseSeconds},
}

func parseSeconds(r *Request, value string, _ time.Time) error {
	seconds, err := integer(value, MaxSeconds)
	if err == nil && r.Seconds != 0 && seconds != r.Seconds {
		err = errors.New("duration and duration_seconds are two names of one parameter; use one of them")
	}
	r.Seconds = seconds
	return err
}

// Formats are those of events.
var Formats = []string{"json", "ndjson", "text", "csv", "otlp", "sqlite"}

// Forms are those of problems.
var Forms = []string{"json", "text"}

// Parameters returns the filters, and the others that are named.
func Parameters(names ...string) []Parameter {
	list := slices.Clone(filters)
	for _, name := range names {
		list = append(list, others[name])
	}
	return list
}

// Only returns the parameters that are named, and no filters.
func Only(names ...string) []Parameter { return Parameters(names...)[len(filters):] }

// Parse reads the parameters of a request. It returns all invalid ones; none is ignored.
func Parse(rawQuery string, allowed []Parameter, now time.Time) (*Request, []Bad) {
	r := &Request{Limit: DefaultLimit, Format: "json"}
	values, err := url.ParseQuery(rawQuery)
	if err != nil {
		return r, []Bad{{Value: rawQuery, Message: err.Error()}}
	}
	var bad []Bad
	for _, name := range slices.Sorted(maps.Keys(values)) {
		value := values[name][0]
		if len(values[name]) > 1 {
			bad = append(bad, Bad{name, strings.Join(values[name], ", "), "it may be given once"})
			continue
		}
		if key, ok := strings.CutPrefix(name, AttributePrefix); ok && key != "" && takesFilters(allowed) {
			if !utf8.ValidString(name + value) {
				bad = append(bad, Bad{strings.ToValidUTF8(name, "\ufffd"), strings.ToValidUTF8(value, "\ufffd"), "it is not UTF-8"})
				continue
			}
			if r.Attributes == nil {
				r.Attributes = map[string]string{}
			}
			r.Attributes[key] = value
			continue
		}
		i := slices.IndexFunc(allowed, func(p Parameter) bool { return p.Name == name })
		switch {
		case i < 0:
			bad = append(bad, Bad{name, value, "there is no such parameter. Known are " + known(allowed)})
		case !utf8.ValidString(value):
			bad = append(bad, Bad{name, strings.ToValidUTF8(value, "\ufffd"), "it is not UTF-8"})
		case value == "":
			bad = append(bad, Bad{name, value, "it has no value"})
		default:
			if err := allowed[i].parse(r, value, now); err != nil {
				bad = append(bad, Bad{name, value, err.Error()})
			}
		}
	}
	if !r.Since.IsZero() && !r.Until.IsZero() && r.Since.After(r.Until) {
		bad = append(bad, Bad{"until", values.Get("until"), "it must not be before since"})
	}
	return r, bad
}

func takesFilters(allowed []Parameter) bool {
	return slices.ContainsFunc(allowed, func(p Parameter) bool { return p.Name == "type" })
}

func known(allowed []Parameter) string {
	if len(allowed) == 0 {
		return "none"
	}
	names := make([]string, 0, len(allowed)+1)
	for i := range allowed {
		names = append(names, allowed[i].Name)
	}
	if takesFilters(allowed) {
		names = append(names, AttributePrefix+"NAME")
	}
	return strings.Join(names, ", ")
}

func oneOf(value string, allowed ...string) error {
	if slices.Contains(allowed, value) {
		return nil
	}
	return fmt.Errorf("it must be %s", strings.Join(allowed, " or "))
}

func integer(value string, highest int64) (int64, error) {
	number, err := strconv.ParseInt(value, 10, 64)
	if err != nil || number < 0 || number > highest || strings.HasPrefix(value, "+") {
		return 0, fmt.Errorf("it must be an integer from 0 to %d", highest)
	}
	return number, nil
}

func (r *Request) field(field event.Field, value any) {
	if r.Fields == nil {
		r.Fields = map[event.Field]any{}
	}
	r.Fields[field] = value
}

func integerField(field event.Field, highest int64) func(*Request, string, time.Time) error {
	return func(r *Request, value string, _ time.Time) error {
		number, err := integer(value, highest)
		r.field(field, number)
		return err
	}
}

func textField(field event.Field) func(*Request, string, time.Time) error {
	return func(r *Request, value string, _ time.Time) error {
		r.field(field, value)
		return nil
	}
}

func parseType(r *Request, value string, _ time.Time) error {
	everything := false
	for text := range strings.SplitSeq(value, ",") {
		prefix, isPrefix := strings.CutSuffix(text, "*")
		if text == "" || strings.Contains(prefix, "*") {
			return errors.New("it must be names of events or programs, separated by commas; a * may stand at the end of each")
		}
		everything = everything || text == "*"
		r.Types = append(r.Types, Type{Text: prefix, Prefix: isPrefix, Program: !isPrefix && !strings.Contains(text, ".")})
	}
	if everything { // events that have no name as well
		r.Types = nil
	}
	return nil
}

func parseAddress(r *Request, value string, _ time.Time) error {
	address, err := netip.ParseAddr(value)
	if inner, ok := strings.CutPrefix(value, "["); ok && err != nil { // as it is written with a port
		address, err = netip.ParseAddr(strings.TrimSuffix(inner, "]"))
	}
	if err == nil {
		value = address.Unmap().String()
	} else if _, err := netip.ParsePrefix(value); err == nil {
		return errors.New("it is a network; it must be one address")
	} else if _, err := netip.ParseAddrPort(value); err == nil {
		return errors.New("it is an address with a port; the port has a parameter of its own, port")
	} else if !strings.HasPrefix(value, "/") && !strings.HasPrefix(value, "@") && (strings.Contains(value, ":") || strings.Trim(value, "0123456789.") == "") {
		return errors.New("it is not an IP address")
	}
	r.Address = &value
	return nil
}

var severities = map[string]plog.SeverityNumber{
	"trace": plog.SeverityNumberTrace, "debug": plog.SeverityNumberDebug, "info": plog.SeverityNumberInfo,
	"warn": plog.SeverityNumberWarn, "error": plog.SeverityNumberError, "fatal": plog.SeverityNumberFatal,
}

func parseSeverity(r *Request, value string, _ time.Time) error {
	severity, ok := severities[strings.ToLower(value)]
	if !ok {
		return errors.New("it must be trace, debug, info, warn, error or fatal")
	}
	r.Severity = severity
	return nil
}

// ParseDuration reads a duration of Go, or one in days, such as 7d.
func ParseDuration(value string) (time.Duration, error) {
	if days, ok := strings.CutSuffix(value, "d"); ok {
		if n, err := strconv.ParseUint(days, 10, 16); err == nil {
			return time.Duration(n) * 24 * time.Hour, nil
		}
	}
	d, err := time.ParseDuration(value)
	if err != nil || d < 0 {
		return 0, errors.New("it must be a duration, such as 15m, 2h30m or 7d")
	}
	return d, nil
}

func parseTime(value string, now time.Time) (time.Time, error) {
	at, err := time.Parse(time.RFC3339Nano, value)
	if err != nil { // a + that is not escaped in an address is a space
		at, err = time.Parse(time.RFC3339Nano, strings.Replace(value, " ", "+", 1))
	}
	if err == nil {
		if at.IsZero() { // which would say that there is none
			at = at.Add(1)
		}
		return at, nil
	}
	d, err := ParseDuration(value)
	if err != nil {
		return time.Time{}, errors.New("it must be a time in RFC 3339, such as 2026-11-27T08:00:00Z, or how long ago it is, such as 15m, 2h30m or 7d")
	}
	return now.Add(-d), nil
}

func parseLimit(highest int64) func(*Request, string, time.Time) error {
	return func(r *Request, value string, _ time.Time) error {
		limit, err := integer(value, highest)
		if err != nil || limit == 0 {
			return fmt.Errorf("it must be an integer from 1 to %d", highest)
		}
		r.Limit = int(limit)
		return nil
	}
}

// keys are the fields by which events can be counted, by the names of the parameters.
var keys = map[string]Key{
	"type": {Kind: ByType}, "program": {Kind: ByProgram}, "severity": {Kind: BySeverity},
	"pid": {Kind: ByField, Field: event.PID}, "command": {Kind: ByField, Field: event.Executable},
	"container": {Kind: ByField, Field: event.Container}, "unit": {Kind: ByField, Field: event.Unit},
	"address": {Kind: ByField, Field: event.ServerAddress}, "port": {Kind: ByField, Field: event.ServerPort},
	"error": {Kind: ByField, Field: event.Error}, "reason": {Kind: ByField, Field: event.Reason},
}

// ByName returns the key with a name as in the parameter by.
func ByName(name string) (Key, bool) {
	if attribute, ok := strings.CutPrefix(name, AttributePrefix); ok && attribute != "" {
		return Key{Name: name, Kind: ByAttribute, Attribute: attribute}, true
	}
	key, ok := keys[name]
	key.Name = name
	return key, ok
}

// MaxKeys is how many fields events may be counted by.
const MaxKeys = 8

func parseBy(r *Request, value string, _ time.Time) error {
	for name := range strings.SplitSeq(value, ",") {
		key, ok := ByName(name)
		if !ok {
			return fmt.Errorf("%q is not one of %s or attr.NAME", name, strings.Join(slices.Sorted(maps.Keys(keys)), ", "))
		}
		if slices.Contains(r.By, key) {
			return fmt.Errorf("%q is listed twice", name)
		}
		r.By = append(r.By, key)
	}
	if len(r.By) > MaxKeys {
		return fmt.Errorf("at most %d fields are allowed", MaxKeys)
	}
	return nil
}

// String returns the cursor as the parameter after takes it.
func (c *Cursor) String() string { return fmt.Sprintf("%d.%d.%d", c.Time, c.Sequence, c.Newest) }

// ParseCursor reads what String has written.
func ParseCursor(text string) (*Cursor, error) {
	c := new(Cursor)
	parts := strings.Split(text, ".")
	if len(parts) == 3 {
		for i, to := range []*int64{&c.Time, &c.Sequence, &c.Newest} {
			number, err := strconv.ParseInt(parts[i], 10, 64)
			if err != nil {
				return nil, errCursor
			}
			*to = number
		}
		return c, nil
	}
	return nil, errCursor
}

var errCursor = errors.New("it must be the field next of another answer")

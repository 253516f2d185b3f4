// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package traffic

import (
	"encoding/json"
	"fmt"
	"unsafe"
)

// handlers are the operations by name, as a child carries them out.
var handlers = map[string]func(args json.RawMessage) response{}

// Operation is both ends of a remote call: a function that children carry out, and how their parent asks for it.
type Operation[Args, Result any] string

// Define adds f to what children can do.
func Define[Args, Result any](name string, f func(Args) (Result, error)) Operation[Args, Result] {
	handlers[name] = func(raw json.RawMessage) response {
		var args Args
		if err := json.Unmarshal(raw, &args); err != nil {
			return response{Error: fmt.Sprintf("%s: %v", name, err)}
		}
		result, err := f(args)
		if err != nil {
			return response{Error: fmt.Sprintf("%s: %v", name, err)}
		}
		encoded, err := json.Marshal(result)
		if err != nil {
			return response{Error: fmt.Sprintf("%s: %v", name, err)}
		}
		return response{Result: encoded}
	}
	return Operation[Args, Result](name)
}

// Try has the agent carry the operation out.
func (o Operation[Args, Result]) Try(a *Agent, args Args) (Result, error) {
	return o.ask(a.child, a.thread, args)
}

// ask has a child carry the operation out, in a new thread if that has a name.
func (o Operation[Args, Result]) ask(c *child, thread string, args Args) (result Result, err error) {
	raw, err := c.exchange(string(o), thread, args)
	if err == nil {
		err = json.Unmarshal(raw, &result)
	}
	return result, err
}

// Call has the agent carry the operation out and ends the test when it cannot.
func (o Operation[Args, Result]) Call(a *Agent, args Args) Result {
	a.t.Helper()
	result, err := o.Try(a, args)
	if err != nil {
		a.t.Fatalf("agent %s[%d]: %v", a.Executable, a.PID, err)
	}
	return result
}

// Nothing stands for no arguments or no result.
type Nothing struct{}

func pointer(b *byte) uintptr { return uintptr(unsafe.Pointer(b)) }

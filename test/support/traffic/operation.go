// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package traffic

import (
	"encoding/json"
	"fmt"
	"unsafe"
)

// handlers are the operations of a child by name.
var handlers = map[string]func(args json.RawMessage) response{}

// Operation is both sides of a remote call: the function that children run, and the parent's request for it.
type Operation[Args, Result any] string

// Define registers f as an operation of children.
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

// Try makes the agent carry out the operation.
func (o Operation[Args, Result]) Try(a *Agent, args Args) (Result, error) {
	return o.ask(a.child, a.thread, args)
}

// ask makes a child carry out the operation, in a new thread if thread is not empty.
func (o Operation[Args, Result]) ask(c *child, thread string, args Args) (result Result, err error) {
	raw, err := c.exchange(string(o), thread, args)
	if err == nil {
		err = json.Unmarshal(raw, &result)
	}
	return result, err
}

// Call makes the agent carry out the operation. If it cannot, the test fails.
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

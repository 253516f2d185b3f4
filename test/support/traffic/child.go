// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package traffic

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

// childEnv marks a process as an agent; its value is the name of the main thread.
const childEnv = "OTELCOL_EBPF_TRAFFIC_AGENT"

// request asks an agent for one operation.
type request struct {
	Op string
	// Thread runs the operation in a new thread of that name instead of the main one.
	Thread string `json:",omitempty"`
	Args   json.RawMessage
}

// response is an operation's outcome. Error is set when it could not be carried out as asked; an error number that
// belongs to the outcome (a refused connect) is part of Result.
type response struct {
	Result json.RawMessage `json:",omitempty"`
	Error  string          `json:",omitempty"`
}

// The main goroutine of a child stays on the process's first thread, so that its thread id is the process id.
func init() {
	if os.Getenv(childEnv) != "" || os.Getenv(endEnv) != "" {
		runtime.LockOSThread()
	}
}

// Main turns the process into an agent when it was started as one, and does not return then.
// A package that uses agents calls it first thing in its TestMain.
func Main() {
	if how := os.Getenv(endEnv); how != "" {
		end(how)
	}
	thread := os.Getenv(childEnv)
	if thread == "" {
		return
	}
	if err := serve(thread, os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "traffic agent:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

// serve answers requests until the test closes the agent's standard input.
func serve(thread string, in io.Reader, out io.Writer) error {
	if err := nameThread(thread); err != nil {
		return err
	}
	requests, responses := json.NewDecoder(in), json.NewEncoder(out)
	for {
		var r request
		switch err := requests.Decode(&r); {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return fmt.Errorf("reading a request: %w", err)
		}
		if err := responses.Encode(respond(r)); err != nil {
			return fmt.Errorf("writing a response: %w", err)
		}
	}
}

func respond(r request) response {
	handle, ok := handlers[r.Op]
	if !ok {
		return response{Error: "unknown operation " + r.Op}
	}
	if r.Thread == "" {
		return handle(r.Args)
	}
	done := make(chan response)
	go func() {
		// Never unlocked: the thread ends with the operation.
		runtime.LockOSThread()
		if err := nameThread(r.Thread); err != nil {
			done <- response{Error: err.Error()}
			return
		}
		done <- handle(r.Args)
	}()
	return <-done
}

func nameThread(name string) error {
	b, err := unix.BytePtrFromString(name)
	if err != nil {
		return err
	}
	if err := unix.Prctl(unix.PR_SET_NAME, pointer(b), 0, 0, 0); err != nil {
		return fmt.Errorf("naming the thread: %w", err)
	}
	return nil
}

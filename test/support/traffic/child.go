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
	"os/exec"
	"runtime"
	"strings"
	"sync"

	"golang.org/x/sys/unix"
)

// childEnv marks a process as a child. Its value is a colon and the name of the main thread.
const childEnv = "OTELCOL_EBPF_TRAFFIC_CHILD"

// child is the parent's handle of a process that carries out operations, one request at a time.
type child struct {
	mu        sync.Mutex
	cmd       *exec.Cmd
	in        io.Closer
	requests  *json.Encoder
	responses *json.Decoder
	ended     sync.Once
}

// newChild prepares a command that runs this executable as a child, and names its main thread if a name is given. It does not
// start the command.
func newChild(cmd *exec.Cmd, thread string) (*child, error) {
	// Signals for asynchronous preemption would interrupt long system calls.
	cmd.Env = append(os.Environ(), childEnv+"=:"+thread, "GODEBUG=asyncpreemptoff=1")
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	return &child{cmd: cmd, in: in, requests: json.NewEncoder(in), responses: json.NewDecoder(out)}, nil
}

// exchange requests an operation, in a new thread if thread is not empty, and waits for the response.
func (c *child) exchange(op, thread string, args any) (json.RawMessage, error) {
	raw, err := json.Marshal(args)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.requests.Encode(request{Op: op, Thread: thread, Args: raw}); err != nil {
		return nil, fmt.Errorf("asking for %s: %w", op, err)
	}
	var r response
	if err := c.responses.Decode(&r); err != nil {
		return nil, fmt.Errorf("waiting for %s: %w", op, err)
	}
	if r.Error != "" {
		return nil, errors.New(r.Error)
	}
	return r.Result, nil
}

// exit ends the child normally, if it has not ended.
func (c *child) exit() (err error) {
	c.ended.Do(func() {
		_ = c.in.Close()
		err = c.cmd.Wait()
	})
	return err
}

// kill ends the child by SIGKILL, if it has not ended.
func (c *child) kill() {
	c.ended.Do(func() {
		_ = c.cmd.Process.Kill()
		_ = c.cmd.Wait()
	})
}

// request is a request for one operation.
type request struct {
	Op string
	// Thread runs the operation in a new thread of that name instead of the main one.
	Thread string `json:",omitempty"`
	Args   json.RawMessage
}

// response is the outcome of an operation. Error means that it could not be carried out. An error number that is a valid
// outcome, such as that of a refused connect, is part of Result.
type response struct {
	Result json.RawMessage `json:",omitempty"`
	Error  string          `json:",omitempty"`
}

// Keep the main goroutine of a child on the process's first thread, so that its thread id is the process id.
func init() {
	if os.Getenv(childEnv) != "" || os.Getenv(endEnv) != "" {
		runtime.LockOSThread()
	}
}

// Main carries out operations if the process was started as a child. Then it does not return. Commands and TestMain call it
// first.
func Main() {
	if how := os.Getenv(endEnv); how != "" {
		end(how)
	}
	thread, ok := strings.CutPrefix(os.Getenv(childEnv), ":")
	if !ok {
		return
	}
	if err := serve(thread, os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "traffic:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

// serve carries out requests until the parent closes standard input.
func serve(thread string, in io.Reader, out io.Writer) error {
	if thread != "" {
		if err := nameThread(thread); err != nil {
			return err
		}
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
		// Do not unlock: the thread ends with the operation.
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

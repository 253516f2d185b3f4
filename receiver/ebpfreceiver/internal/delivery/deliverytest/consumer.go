// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package deliverytest

import (
	"context"
	"strconv"
	"sync"
	"time"

	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/receiver/receivertest"
)

// Consumer keeps the log records that it accepts.
type Consumer struct {
	// Change, if set, modifies the offered logs.
	Change func(plog.Logs)

	mu      sync.Mutex
	taken   []plog.LogRecord
	batches []int
	calls   []time.Time
	answer  func(context.Context) error
}

var _ consumer.Logs = (*Consumer)(nil)

// Capabilities implements consumer.Logs.
func (c *Consumer) Capabilities() consumer.Capabilities {
	return consumer.Capabilities{MutatesData: c.Change != nil}
}

// ConsumeLogs implements consumer.Logs.
func (c *Consumer) ConsumeLogs(ctx context.Context, logs plog.Logs) error {
	c.mu.Lock()
	c.calls = append(c.calls, time.Now())
	answer := c.answer
	if c.Change != nil {
		c.Change(logs)
	}
	c.mu.Unlock()
	if answer != nil {
		if err := answer(ctx); err != nil {
			return err
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.batches = append(c.batches, logs.LogRecordCount())
	for _, rl := range logs.ResourceLogs().All() {
		for _, sl := range rl.ScopeLogs().All() {
			for _, lr := range sl.LogRecords().All() {
				c.taken = append(c.taken, lr)
			}
		}
	}
	return nil
}

// AnswerWith sets the function that accepts or refuses batches; nil accepts all.
func (c *Consumer) AnswerWith(answer func(context.Context) error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.answer = answer
}

// Answers returns an answer that returns the errors one after another, and then accepts everything.
func Answers(errs ...error) func(context.Context) error {
	return func(context.Context) (err error) {
		if len(errs) > 0 {
			err, errs = errs[0], errs[1:]
		}
		return err
	}
}

// Called returns the times of all offers.
func (c *Consumer) Called() []time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.calls
}

// Batches returns the sizes of the accepted batches.
func (c *Consumer) Batches() []int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.batches
}

// Taken returns the accepted log records.
func (c *Consumer) Taken() []plog.LogRecord {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.taken
}

// Named returns the accepted events of a name.
func (c *Consumer) Named(name string) (events []plog.LogRecord) {
	for _, lr := range c.Taken() {
		if lr.EventName() == name {
			events = append(events, lr)
		}
	}
	return events
}

// IDs returns the ids of the accepted records of a Source, in order.
func (c *Consumer) IDs() (ids []int) {
	for _, lr := range c.Named("ebpf.connection.connect") {
		value, _ := lr.Attributes().Get(receivertest.UniqueIDAttrName)
		id, err := strconv.Atoi(value.Str())
		if err != nil {
			panic(err)
		}
		ids = append(ids, id)
	}
	return ids
}

// UpTo returns the numbers from 1 to n.
func UpTo(n int) []int {
	numbers := make([]int, n)
	for i := range numbers {
		numbers[i] = i + 1
	}
	return numbers
}

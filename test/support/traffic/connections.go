// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package traffic

import (
	"fmt"
	"time"

	"golang.org/x/sys/unix"

	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testhost"
)

// Connections makes TCP connections over loopback that carry no data: the client connects, the server accepts and closes, the
// client reads the end and closes. Clients and servers are threads of two processes.
type Connections struct {
	// Count is the number of connections.
	Count int
	// Pairs is the number of clients, each with its own server, that share the connections; at least 1.
	Pairs int
	// Rate is the number of connections that each client begins per second; 0 means as many as possible.
	Rate int
	// Pinned keeps each pair on its own CPU, if there are enough. Then the CPU is always busy, and the rate does not depend
	// on where the scheduler places the two processes.
	Pinned bool
}

// ConnectionsDone is the result.
type ConnectionsDone struct {
	// Opened is the number of established connections, as counted by the clients and by the servers.
	Opened int
	// Elapsed is the time from the first connect to the last close.
	Elapsed time.Duration
	// Connect is the duration of connect(). It is measured only at a fixed rate.
	Connect Quantiles
}

// PerSecond is the achieved rate.
func (d ConnectionsDone) PerSecond() float64 { return float64(d.Opened) / d.Elapsed.Seconds() }

// Run makes the connections. If in is not nil, the processes are in that cgroup.
func (c Connections) Run(in *testhost.Cgroup) (done ConnectionsDone, err error) {
	server, err := startWorker(in)
	if err != nil {
		return done, err
	}
	defer server.kill()
	ready, err := acceptMany.ask(server.child, "", acceptArgs{Shares: shares(c.Count, c.Pairs), Pinned: c.Pinned})
	if err != nil {
		return done, err
	}
	if done, err = work(in, connectMany, connectManyArgs{Connections: c, Ports: ready.Ports}); err != nil {
		return done, err
	}
	accepted, err := served.ask(server.child, "", ready.FD)
	if err != nil {
		return done, err
	}
	if done.Opened != c.Count || accepted != c.Count {
		return done, fmt.Errorf("of %d connections the client opened %d and the server accepted %d", c.Count, done.Opened, accepted)
	}
	return done, server.stop()
}

// shares splits count into n almost equal parts.
func shares(count, n int) []int {
	parts := make([]int, n)
	for i := range parts {
		parts[i] = count*(i+1)/n - count*i/n
	}
	return parts
}

// destinations is the number of addresses that the connections are spread over, so that connections in TIME_WAIT do not have
// the same addresses and ports as new ones.
const destinations = 64

type connectManyArgs struct {
	Connections
	Ports []uint16
}

var connectMany = Define("connections.connect", func(args connectManyArgs) (done ConnectionsDone, err error) {
	cpus, err := allowedCPUs()
	if err != nil {
		return done, err
	}
	counts := shares(args.Count, args.Pairs)
	latencies := make([][]time.Duration, args.Pairs)
	opened := make([]int, args.Pairs)
	begin := time.Now()
	err = onThreads(args.Pairs, func(i int) (err error) {
		if args.Pinned {
			if err := stayOn(cpus, i); err != nil {
				return err
			}
		}
		if args.Rate > 0 {
			latencies[i] = make([]time.Duration, 0, counts[i])
			opened[i], err = connectAtRate(counts[i], args.Rate, args.Ports[i], &latencies[i])
			return err
		}
		opened[i], err = connectFlatOut(counts[i], args.Ports[i])
		return err
	})
	done.Elapsed = time.Since(begin)
	for i := range opened {
		done.Opened += opened[i]
	}
	done.Connect = quantiles(latencies...)
	return done, err
})

func connectFlatOut(count int, port uint16) (opened int, err error) {
	for ; opened < count; opened++ {
		if _, err := connectOnce(opened, port, false); err != nil {
			return opened, err
		}
	}
	return opened, nil
}

func connectAtRate(count, rate int, port uint16, latencies *[]time.Duration) (opened int, err error) {
	if err := exactTimers(); err != nil {
		return 0, err
	}
	clock := newTicker(time.Second / time.Duration(rate))
	for ; opened < count; opened++ {
		clock.wait()
		took, err := connectOnce(opened, port, true)
		if err != nil {
			return opened, err
		}
		*latencies = append(*latencies, took)
	}
	return opened, nil
}

// connectOnce makes the nth connection, and optionally measures connect().
func connectOnce(n int, port uint16, measure bool) (took time.Duration, err error) {
	fd, err := openRaw(unix.SOCK_STREAM)
	if err != nil {
		return 0, err
	}
	defer closeRaw(fd)
	to := loopbackAddress(0, 1, byte(1+n%destinations), port)
	var begin time.Time
	if measure {
		begin = time.Now()
	}
	if err := connectRaw(fd, &to); err != nil {
		return 0, err
	}
	if measure {
		took = time.Since(begin)
	}
	return took, awaitEnd(fd)
}

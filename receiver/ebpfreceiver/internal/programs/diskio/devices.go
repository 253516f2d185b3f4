// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package diskio

import (
	"os"
	"strings"
)

// scrapesKept is how many scrapes still publish the series of a removed device, so that its last counts are read.
const scrapesKept = 3

// devices knows which block devices were removed.
type devices struct {
	// list returns the names of all block devices.
	list func() ([]string, error)
	// absent is how many scrapes in a row have not found a device with counts.
	absent map[string]int
	// present has the devices of this scrape; nil if unknown.
	present map[string]bool
}

func newDevices() *devices { return &devices{list: listDevices, absent: map[string]int{}} }

// listDevices returns the block devices by their names in the kernel. sysfs replaces the slashes in them by exclamation
// marks.
func listDevices() ([]string, error) {
	entries, err := os.ReadDir("/sys/block")
	if err != nil {
		return nil, err
	}
	names := make([]string, len(entries))
	for i, entry := range entries {
		names[i] = strings.ReplaceAll(entry.Name(), "!", "/")
	}
	return names, nil
}

// update lists the devices at the beginning of a scrape. If they cannot be listed, it assumes that all are present.
func (d *devices) update() {
	d.present = nil
	names, err := d.list()
	if err != nil {
		clear(d.absent)
		return
	}
	d.present = make(map[string]bool, len(names))
	for _, name := range names {
		d.present[name] = true
	}
	for name := range d.absent {
		if d.present[name] {
			delete(d.absent, name)
		} else {
			d.absent[name]++
		}
	}
}

// countAbsence reports whether a device has been absent for enough scrapes to end its series. It counts a device that is absent for
// the first time.
func (d *devices) countAbsence(name string) (gone bool) {
	if d.present == nil || d.present[name] {
		return false
	}
	if _, known := d.absent[name]; !known {
		d.absent[name] = 1
	}
	return d.absent[name] > scrapesKept
}

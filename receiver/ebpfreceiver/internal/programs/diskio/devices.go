// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package diskio

import (
	"os"
	"strings"
)

// scrapesKept is how many scrapes still see a device that is gone: its last counts have to reach somebody.
const scrapesKept = 3

// devices tells which block devices are gone.
type devices struct {
	// list returns the names of all that there are.
	list func() ([]string, error)
	// absent says how many scrapes in a row have not found a device that was counted for.
	absent map[string]int
	// present are those of this scrape; nil if that is not known.
	present map[string]bool
}

func newDevices() *devices { return &devices{list: listDevices, absent: map[string]int{}} }

// listDevices returns the block devices by their names in the kernel, for whose slashes sysfs has exclamation marks.
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

// look begins a scrape. A host whose devices can't be listed has all that were ever seen.
func (d *devices) look() {
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

// gone returns whether a device that was counted for has been away for so long that its series end.
func (d *devices) gone(name string) bool {
	if d.present == nil || d.present[name] {
		return false
	}
	if _, known := d.absent[name]; !known {
		d.absent[name] = 1
	}
	return d.absent[name] > scrapesKept
}

// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package main

// pages are the dashboards by the names of their files. Their panels are in the files dashboard.yaml in the folders of programs; those
// of the receiver, which are about all programs, are in receiver.go.
func pages() (map[string]*page, error) {
	all := map[string]*page{
		"network": {
			title:       "Is the network well",
			description: "Failed connections, drops, losses and accept queues, as the kernel counts them.",
			rows:        rows("Now", "Failed connections", "Losses", "Time", "Listeners", "Traffic"),
		},
		"host": {
			title:       "Host",
			description: "CPUs, disks, memory, processes, descriptors and system calls, as the kernel counts them.",
			rows:        rows("Now", "CPU", "Disks", "Processes and memory", "Descriptors", "System calls and files"),
		},
		"receiver": &receiver,
	}
	return all, addPanels(all)
}

// rows are empty rows with these titles.
func rows(titles ...string) []row {
	list := make([]row, len(titles))
	for i, title := range titles {
		list[i].title = title
	}
	return list
}

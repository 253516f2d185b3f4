// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"golang.org/x/mod/module"
)

// licence has the licence and the notices of one module.
type licence struct {
	module module.Version
	dir    string
	texts  []text
}

// text is a file with a licence or a notice.
type text struct{ name, content string }

// legal matches the names of files with licences and notices, but not source files with such a name.
var legal = regexp.MustCompile(`(?i)^(licen[cs]es?|copying|copyright|notices?|patents|unlicense|third.?party.?(licen[cs]es?|notices?))([-._].*)?$`)

// standard is the standard library, which is linked in as well.
const standard = "std"

// licences returns the licences of what is linked into an executable. A module without a licence is an error.
func (g goEnv) licences(e *executable) (all []licence, err error) {
	all = []licence{{module: module.Version{Path: standard}, dir: g.GOROOT}}
	for _, m := range e.modules {
		dir, err := g.dir(m)
		if err != nil {
			return nil, err
		}
		all = append(all, licence{module: m, dir: dir})
	}
	for i := range all {
		if all[i].texts, err = readTexts(all[i].dir); err != nil {
			return nil, err
		}
		if len(all[i].texts) == 0 {
			return nil, fmt.Errorf("%s has no licence", all[i].module)
		}
	}
	return all, nil
}

// readTexts returns the licences and notices in the root of a module.
func readTexts(dir string) (texts []text, err error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	for _, entry := range entries {
		if !entry.Type().IsRegular() || !legal.MatchString(entry.Name()) || slices.Contains([]string{".go", ".tmpl"}, filepath.Ext(entry.Name())) {
			continue
		}
		content, err := os.ReadFile(filepath.Join(dir, entry.Name()))
		if err != nil {
			return nil, err
		}
		if content = bytes.TrimSpace(content); len(content) > 0 && utf8.Valid(content) {
			texts = append(texts, text{entry.Name(), strings.ReplaceAll(string(content), "\r\n", "\n")})
		}
	}
	return texts, nil
}

// notice returns the file with the licences: first all modules with the numbers of their texts, then each text once.
func notice(title string, licences []licence) []byte {
	var list, texts bytes.Buffer
	numbers := map[string]int{}
	for _, l := range licences {
		name := l.module.String()
		if l.module.Path == standard {
			name = "The Go standard library"
		}
		fmt.Fprintf(&list, "%s:", name)
		for i, t := range l.texts {
			number, known := numbers[t.content]
			if !known {
				number = len(numbers) + 1
				numbers[t.content] = number
				fmt.Fprintf(&texts, "\n%s\n[%d] %s of %s\n\n%s\n", strings.Repeat("=", 80), number, t.name, name, t.content)
			}
			separator := ","
			if i == 0 {
				separator = ""
			}
			fmt.Fprintf(&list, "%s %s [%d]", separator, t.name, number)
		}
		list.WriteByte('\n')
	}
	return fmt.Appendf(nil, "%s contains the following software of others, under the licences whose texts follow the list.\n\n%s%s", title, &list, &texts)
}

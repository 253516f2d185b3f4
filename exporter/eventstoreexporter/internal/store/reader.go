// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"errors"
	"os"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"github.com/otelcol-ebpf/otelcol-ebpf/exporter/eventstoreexporter/internal/event"
)

// lookups are the index and the tables of a file: in memory while it is being written, in SQLite after that.
type lookups interface {
	decoder
	number(text string) (int64, bool, error)
	allShapes() ([]*shape, error)
	allOrigins() ([]*event.Origin, error)
	rarely(hash uint64) (records []uint32, more bool, err error)
	posted(column int, value int64) ([]uint32, error)
	allTypes() ([]int64, error)
	allBlocks() ([]block, error)
	allBlooms() ([]byte, error)
}

// reader reads one file. It is used by one query at a time.
type reader struct {
	lookups
	slice *slice
	conn  *sqlite.Conn
	file  os.FileInfo
}

// growing are the lookups of a file that is not sealed.
type growing struct {
	*tables
	*index
}

// reader returns a reader of the slice, or errGone.
func (s *slice) reader(ctx context.Context) (*reader, error) {
	s.mu.Lock()
	if s.gone {
		s.mu.Unlock()
		return nil, errGone
	}
	r := s.idle
	s.idle = nil
	index, tables := s.index, s.tables
	s.mu.Unlock()
	info, err := os.Stat(s.path)
	if r == nil {
		if err != nil {
			return nil, errReplaced
		}
		conn, err := s.connect(index == nil)
		if err != nil {
			return nil, err
		}
		r = &reader{slice: s, conn: conn, file: info}
		if index != nil {
			r.lookups = growing{tables, index}
		} else if r.lookups, err = openSealed(conn); err != nil {
			r.close()
			return nil, err
		}
	} else if err != nil || !os.SameFile(info, r.file) {
		r.close()
		return nil, errReplaced
	}
	r.conn.SetInterrupt(ctx.Done())
	return r, nil
}

func (s *slice) connect(isSealed bool) (*sqlite.Conn, error) {
	if isSealed {
		if info, err := os.Stat(s.path + "-wal"); errors.Is(err, os.ErrNotExist) || err == nil && info.Size() == 0 {
			return openImmutable(s.path)
		}
	}
	return open(s.path, sqlite.OpenReadWrite)
}

var errGone = errors.New("the slice is no longer part of the store")

// release keeps one reader per file for the next query, unless the file was sealed meanwhile.
func (r *reader) release() {
	r.conn.SetInterrupt(nil)
	_, isGrowing := r.lookups.(growing)
	s := r.slice
	s.mu.Lock()
	keep := !s.gone && s.idle == nil && isGrowing == (s.index != nil)
	if keep {
		s.idle = r
	}
	s.mu.Unlock()
	if !keep {
		r.close()
	}
}

func (r *reader) close() { _ = r.conn.Close() }

// sealed are the lookups of a file that is sealed. They keep what they have read, up to some number.
type sealed struct {
	conn    *sqlite.Conn
	texts   map[int64]string
	origins map[int64]*event.Origin
	// shapes are read at their first use, nil before.
	shapes     []*shape
	shapeTexts [][]byte
	blocks     []block
	rare       rareHead
}

func openSealed(conn *sqlite.Conn) (*sealed, error) {
	s := &sealed{conn: conn, texts: map[int64]string{}, origins: map[int64]*event.Origin{}}
	err := s.rows("SELECT attributes FROM shapes ORDER BY id", func(stmt *sqlite.Stmt) error {
		s.shapeTexts = append(s.shapeTexts, bytesOf(stmt))
		return nil
	})
	if err != nil {
		return nil, err
	}
	s.shapes = make([]*shape, len(s.shapeTexts))
	text, err := s.list(listOfTimes)
	if err == nil {
		if s.blocks, err = parseBlocks(text); err == nil {
			if text, err = s.list(listOfRare); err == nil {
				s.rare, err = parseRareHead(text)
			}
		}
	}
	return s, err
}

// list returns a row of the table lists.
func (s *sealed) list(id int64) (data []byte, err error) {
	err = s.rows("SELECT data FROM lists WHERE id = ?", func(stmt *sqlite.Stmt) error {
		data = bytesOf(stmt)
		return nil
	}, id)
	return data, err
}

func (s *sealed) rows(query string, row func(stmt *sqlite.Stmt) error, args ...any) error {
	return sqlitex.Execute(s.conn, query, &sqlitex.ExecOptions{Args: args, ResultFunc: row})
}

func bytesOf(stmt *sqlite.Stmt) []byte {
	b := make([]byte, stmt.ColumnLen(0))
	stmt.ColumnBytes(0, b)
	return b
}

// maxKept is how many strings a reader keeps.
const maxKept = 4096

func (s *sealed) text(number int64) (string, error) {
	if text, ok := s.texts[number]; ok {
		return text, nil
	}
	text, found := "", false
	err := s.rows("SELECT text FROM strings WHERE id = ?", func(stmt *sqlite.Stmt) error {
		text, found = stmt.ColumnText(0), true
		return nil
	}, number)
	if err == nil && !found {
		err = errValue
	}
	if err != nil {
		return "", err
	}
	if len(s.texts) >= maxKept {
		clear(s.texts)
	}
	s.texts[number] = text
	return text, nil
}

func (s *sealed) number(text string) (number int64, found bool, err error) {
	err = s.rows("SELECT id FROM strings WHERE text = ?", func(stmt *sqlite.Stmt) error {
		number, found = stmt.ColumnInt64(0), true
		return nil
	}, text)
	return number, found, err
}

func (s *sealed) shape(id int64) (*shape, error) {
	if id < 1 || id > int64(len(s.shapes)) {
		return nil, errShape
	}
	if s.shapes[id-1] == nil {
		one, err := parseShape(id, s.shapeTexts[id-1], nil)
		if err != nil {
			return nil, err
		}
		s.shapes[id-1] = one
	}
	return s.shapes[id-1], nil
}

func (s *sealed) allShapes() ([]*shape, error) {
	for id := range s.shapes {
		if _, err := s.shape(int64(id + 1)); err != nil {
			return nil, err
		}
	}
	return s.shapes, nil
}

func (s *sealed) origin(id int64) (*event.Origin, error) {
	if o, ok := s.origins[id]; ok {
		return o, nil
	}
	var o *event.Origin
	err := s.rows("SELECT otlp FROM origins WHERE id = ?", func(stmt *sqlite.Stmt) error {
		var err error
		o, err = readOrigin(bytesOf(stmt))
		return err
	}, id)
	if err == nil && o == nil {
		err = errValue
	}
	if err != nil {
		return nil, err
	}
	if len(s.origins) >= maxKept {
		clear(s.origins)
	}
	s.origins[id] = o
	return o, nil
}

func (s *sealed) allOrigins() ([]*event.Origin, error) {
	var list []*event.Origin
	err := s.rows("SELECT otlp FROM origins ORDER BY id", func(stmt *sqlite.Stmt) error {
		o, err := readOrigin(bytesOf(stmt))
		list = append(list, o)
		return err
	})
	return list, err
}

func (s *sealed) rarely(hash uint64) (records []uint32, more bool, err error) {
	err = s.rows("SELECT records FROM rare WHERE bucket = ?", func(stmt *sqlite.Stmt) error {
		var err error
		records, err = parseRare(bytesOf(stmt), hash)
		return err
	}, s.rare.bucket(hash))
	return records, s.rare.hasMore(hash), err
}

func (s *sealed) posted(column int, value int64) (list []uint32, err error) {
	err = s.rows("SELECT blocks FROM postings WHERE value = ?", func(stmt *sqlite.Stmt) error {
		var err error
		list, err = parsePosting(bytesOf(stmt))
		return err
	}, postingKey(column, value))
	return list, err
}

func (s *sealed) allTypes() (list []int64, err error) {
	err = s.rows("SELECT value FROM postings WHERE value BETWEEN ? AND ?", func(stmt *sqlite.Stmt) error {
		list = append(list, stmt.ColumnInt64(0)&^postingKey(columnType, 0))
		return nil
	}, postingKey(columnType, 0), postingKey(columnType+1, 0)-1)
	return list, err
}

func (s *sealed) allBlocks() ([]block, error) { return s.blocks, nil }

func (s *sealed) allBlooms() ([]byte, error) {
	filters, err := s.list(listOfFilters)
	if err == nil && len(filters) != len(s.blocks)*bloomBytes {
		err = errValue
	}
	return filters, err
}

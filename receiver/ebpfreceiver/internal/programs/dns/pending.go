// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package dns

import (
	"container/list"
	"net/netip"
	"time"

	"github.com/otelcol-ebpf/otelcol-ebpf/bpf/common"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/metrics/inet"
)

const (
	// maxPending bounds the look-ups that wait for an answer.
	maxPending = 16384
	// maxExchanges bounds the sockets and ids of a look-up whose answers are recognized. Resolvers give up long before.
	maxExchanges = 16
	// retryAfter is the shortest time after which a query with another id is a retry. The shortest that resolv.conf allows is a second,
	// which some resolvers count from before the query; what comes earlier is asked at the same time by another part of the process.
	retryAfter = uint64(900 * time.Millisecond)
)

// lookup is a question of a process and what is known of the answer.
type lookup struct {
	question question
	// key is the question as it is compared.
	key   question
	owner common.Owner
	// attribution is how the owner was found.
	attribution    uint8
	transport      uint8
	netns          uint32
	cookie         uint64
	client, server netip.AddrPort
	// first and last are the kernel times (ns) of the first and the last query, end that of the answer or of the time-out.
	first, last, end uint64
	retries          int
	answer           *message // nil: it timed out

	// exchanges are the queries whose answers it waits for; mostly one.
	exchanges []exchange
	// place is where it is in the order of the pending ones.
	place *list.Element
}

// exchange is the identity of a query and its answer among those with the same question.
type exchange struct {
	cookie uint64
	id     uint16
}

// asked is an exchange with the question.
type asked struct {
	exchange
	question question
}

// asker is who asks.
type asker struct {
	pid    uint32
	cookie uint64 // of the socket, if the process is not known
}

// repeated is the identity of a query and its retries with the same id, to any server, from any socket.
type repeated struct {
	asker
	id       uint16
	question question
}

// renewed is the identity of a query and its retries with other ids.
type renewed struct {
	asker
	server   netip.AddrPort
	question question
}

// pending are the look-ups that wait for an answer. Each is found by a key, never by a search: processes decide how many there are.
type pending struct {
	// byExchange has the first look-up with an id of a socket, byQuestion those that use it at the same time.
	byExchange map[exchange]*lookup
	byQuestion map[asked]*lookup
	repeated   map[repeated]*lookup
	renewed    map[renewed]*lookup
	// onConnection are the look-ups that were sent over a TCP connection, by the cookie of its socket.
	onConnection map[uint64]map[*lookup]struct{}
	// inOrder are the look-ups in the order of their last queries.
	inOrder *list.List
}

func newPending() pending {
	return pending{
		byExchange: map[exchange]*lookup{}, byQuestion: map[asked]*lookup{}, repeated: map[repeated]*lookup{}, renewed: map[renewed]*lookup{},
		onConnection: map[uint64]map[*lookup]struct{}{}, inOrder: list.New(),
	}
}

// asker returns who sends a query of the look-up from that socket.
func (l *lookup) asker(cookie uint64) asker {
	if l.owner.Pid != 0 {
		return asker{pid: l.owner.Pid}
	}
	return asker{cookie: cookie}
}

func (l *lookup) repeated(e exchange) repeated {
	return repeated{asker: l.asker(e.cookie), id: e.id, question: l.key}
}

func (l *lookup) renewed() renewed {
	return renewed{asker: l.asker(l.cookie), server: l.server, question: l.key}
}

// repeats returns the look-up that a query repeats; nil if it is the first one. A query with another id repeats the one to the same
// server if that waits for some time, but not longer than `patience`: who asks again then has given up before.
func (p *pending) repeats(query *lookup, id uint16, patience uint64) *lookup {
	if l := p.repeated[query.repeated(exchange{query.cookie, id})]; l != nil {
		return l
	}
	l := p.renewed[query.renewed()]
	if l != nil && query.first >= l.last+retryAfter && query.first < l.first+patience {
		return l
	}
	return nil
}

// add adds a look-up with its first query. It returns false if there is no room.
func (p *pending) add(l *lookup, id uint16) bool {
	if p.inOrder.Len() >= maxPending {
		return false
	}
	l.place = p.inOrder.PushBack(l)
	p.expect(l, exchange{l.cookie, id})
	return true
}

// retry adds a query to a look-up that waits. It returns false if an earlier query had to be forgotten for it.
func (p *pending) retry(l, query *lookup, id uint16) bool {
	p.inOrder.MoveToBack(l.place)
	p.forgetRenewed(l)
	l.retries++
	l.last, l.transport, l.cookie = query.last, query.transport, query.cookie
	l.client, l.server = query.client, query.server
	e := exchange{l.cookie, id}
	// A socket that another process uses with the same id gets one answer to both.
	known := p.waiting(e, l.key) == l
	full := !known && len(l.exchanges) == maxExchanges
	if full {
		p.forgetExchange(l, l.exchanges[0])
		l.exchanges = l.exchanges[1:]
	}
	if known {
		p.renewed[l.renewed()] = l
	} else {
		p.expect(l, e)
	}
	return !full
}

// expect makes the answer to a query that of the look-up.
func (p *pending) expect(l *lookup, e exchange) {
	l.exchanges = append(l.exchanges, e)
	if p.byExchange[e] == nil {
		p.byExchange[e] = l
	} else {
		p.byQuestion[asked{e, l.key}] = l
	}
	p.repeated[l.repeated(e)] = l
	p.renewed[l.renewed()] = l
	if l.transport == inet.ProtocolTCP {
		if p.onConnection[e.cookie] == nil {
			p.onConnection[e.cookie] = map[*lookup]struct{}{}
		}
		p.onConnection[e.cookie][l] = struct{}{}
	}
}

// waiting returns the look-up that waits for the answer to a query; nil if there is none.
func (p *pending) waiting(e exchange, key question) *lookup {
	if l := p.byExchange[e]; l != nil && l.key == key {
		return l
	}
	return p.byQuestion[asked{e, key}]
}

// answered returns the look-up that an answer belongs to, and removes it; nil if there is none. Some errors do not repeat the question.
func (p *pending) answered(cookie uint64, m *message) *lookup {
	e := exchange{cookie, m.id}
	l := p.byExchange[e]
	if m.asks {
		l = p.waiting(e, m.question.folded())
	}
	if l != nil {
		p.remove(l)
	}
	return l
}

// forget drops the look-ups of a TCP connection whose answers cannot be read any more.
func (p *pending) forget(cookie uint64) {
	for l := range p.onConnection[cookie] {
		p.remove(l)
	}
}

// takeBefore removes and returns the oldest look-up if its last query was at that time or before; otherwise it returns nil.
func (p *pending) takeBefore(time uint64) *lookup {
	oldest := p.inOrder.Front()
	if oldest == nil || oldest.Value.(*lookup).last > time {
		return nil
	}
	l := oldest.Value.(*lookup)
	p.remove(l)
	return l
}

func (p *pending) remove(l *lookup) {
	p.inOrder.Remove(l.place)
	p.forgetRenewed(l)
	for _, e := range l.exchanges {
		p.forgetExchange(l, e)
	}
}

func (p *pending) forgetRenewed(l *lookup) {
	if key := l.renewed(); p.renewed[key] == l {
		delete(p.renewed, key)
	}
}

func (p *pending) forgetExchange(l *lookup, e exchange) {
	if p.byExchange[e] == l {
		delete(p.byExchange, e)
	} else if key := (asked{e, l.key}); p.byQuestion[key] == l {
		delete(p.byQuestion, key)
	}
	if key := l.repeated(e); p.repeated[key] == l {
		delete(p.repeated, key)
	}
	if of := p.onConnection[e.cookie]; of != nil {
		if delete(of, l); len(of) == 0 {
			delete(p.onConnection, e.cookie)
		}
	}
}

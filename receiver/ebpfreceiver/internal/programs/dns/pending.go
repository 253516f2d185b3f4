// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package dns

import (
	"net/netip"

	"github.com/otelcol-ebpf/otelcol-ebpf/bpf/common"
)

// maxPending bounds the look-ups that wait for an answer.
const maxPending = 16384

// lookup is a question of a process and what is known of the answer. Repeated queries for it, to any server, belong to it if they have
// its id: resolvers ask again with the same one.
type lookup struct {
	id       uint16
	question question
	owner    common.Owner
	// attribution is how the owner was found.
	attribution    uint8
	transport      uint8
	netns          uint32
	cookie         uint64
	client, server netip.AddrPort
	// first and last are the times of the first and the last query, end that of the answer or of the time-out. They are the kernel's.
	first, last, end uint64
	retries          int
	answer           *message // nil: there was none

	// sockets are those that it was sent from; mostly one.
	sockets          []uint64
	previous, behind *lookup
}

// asked is the identity of a look-up of a process.
type asked struct {
	pid      uint32
	cookie   uint64 // of the socket, if the process is not known
	id       uint16
	question question
}

// exchange is the identity of a query and its answer.
type exchange struct {
	cookie   uint64
	id       uint16
	question question
}

// pending are the look-ups that wait for an answer.
type pending struct {
	byAsker  map[asked]*lookup
	bySocket map[exchange]*lookup
	// oldest is the look-up whose last query was the first one; the others follow in their order.
	oldest, newest *lookup
}

func newPending() pending {
	return pending{byAsker: map[asked]*lookup{}, bySocket: map[exchange]*lookup{}}
}

func (l *lookup) asked() asked {
	a := asked{pid: l.owner.Pid, id: l.id, question: l.question.folded()}
	if a.pid == 0 {
		a.cookie = l.cookie
	}
	return a
}

func (l *lookup) exchange(cookie uint64) exchange {
	return exchange{cookie: cookie, id: l.id, question: l.question.folded()}
}

// add adds the look-up of a query, or counts the query as a retry of the one that waits. It returns false if there is no room.
func (p *pending) add(query *lookup) bool {
	known := p.byAsker[query.asked()]
	if known == nil {
		if len(p.byAsker) >= maxPending {
			return false
		}
		p.byAsker[query.asked()] = query
		known = query
	} else {
		p.unlink(known)
		known.retries++
		known.last, known.transport, known.cookie = query.last, query.transport, query.cookie
		known.client, known.server = query.client, query.server
	}
	p.link(known)
	if of := p.bySocket[known.exchange(query.cookie)]; of != known {
		// A socket that another process uses with the same id gets one answer to both.
		known.sockets = append(known.sockets, query.cookie)
		p.bySocket[known.exchange(query.cookie)] = known
	}
	return true
}

// answered returns the look-up that an answer belongs to, and removes it; nil if there is none.
func (p *pending) answered(cookie uint64, m *message) *lookup {
	l := p.bySocket[exchange{cookie: cookie, id: m.id, question: m.question.folded()}]
	if l == nil && !m.asks {
		l = p.find(cookie, m.id)
	}
	if l != nil {
		p.remove(l)
	}
	return l
}

// find returns the look-up for an answer that does not repeat the question, as some errors do not.
func (p *pending) find(cookie uint64, id uint16) *lookup {
	for e, l := range p.bySocket {
		if e.cookie == cookie && e.id == id {
			return l
		}
	}
	return nil
}

// forget drops the look-ups of a socket whose answers cannot be read any more.
func (p *pending) forget(cookie uint64) {
	for e, l := range p.bySocket {
		if e.cookie == cookie {
			p.remove(l)
		}
	}
}

// takeBefore removes and returns the oldest look-up if its last query was at that time or before; otherwise it returns nil.
func (p *pending) takeBefore(time uint64) *lookup {
	l := p.oldest
	if l == nil || l.last > time {
		return nil
	}
	p.remove(l)
	return l
}

func (p *pending) remove(l *lookup) {
	p.unlink(l)
	delete(p.byAsker, l.asked())
	for _, cookie := range l.sockets {
		if e := l.exchange(cookie); p.bySocket[e] == l {
			delete(p.bySocket, e)
		}
	}
}

func (p *pending) link(l *lookup) {
	l.previous, l.behind = p.newest, nil
	if p.newest != nil {
		p.newest.behind = l
	} else {
		p.oldest = l
	}
	p.newest = l
}

func (p *pending) unlink(l *lookup) {
	if l.previous != nil {
		l.previous.behind = l.behind
	} else {
		p.oldest = l.behind
	}
	if l.behind != nil {
		l.behind.previous = l.previous
	} else {
		p.newest = l.previous
	}
	l.previous, l.behind = nil, nil
}

// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package dns

import (
	"encoding/binary"
	"net/netip"
	"strconv"
	"strings"

	"github.com/miekg/dns"
)

// question is what a query asks for.
type question struct {
	// name has the case of the message and no dot at the end; "." is the root. Unprintable characters are escaped.
	name        string
	kind, class uint16
}

// folded returns the question in lower case. DNS ignores case, and some resolvers mix it on purpose (0x20 encoding).
func (q question) folded() question {
	q.name = strings.ToLower(q.name)
	return q
}

// kindName returns the record type of the question, such as "AAAA".
func (q question) kindName() string {
	if name, ok := dns.TypeToString[q.kind]; ok {
		return name
	}
	return "TYPE" + strconv.Itoa(int(q.kind))
}

// message has the used parts of a DNS message.
type message struct {
	id        uint16
	answers   bool // it is an answer, not a query
	truncated bool
	asks      bool // it has a question
	question  question
	code      int
	// These are of the answer section: the addresses with their shortest TTL in seconds; the canonical name (CNAME), "" if it is the
	// name in question; the number of records.
	addresses []netip.Addr
	ttl       uint32
	canonical string
	records   int
}

const (
	// headerSize is the size of a message without any section; answersAt is where in it the number of answers is.
	headerSize, answersAt = 12, 6
	// questionSize is the size of a question without its name.
	questionSize = 4
)

// parse reads a message. A truncated message has the parts before the cut. It returns false if the question is cut, or if the message is
// not of a look-up.
func parse(raw []byte) (m message, ok bool) {
	var all dns.Msg
	err := all.Unpack(raw)
	if len(raw) < headerSize || all.Opcode != dns.OpcodeQuery {
		return m, false
	}
	m = message{id: all.Id, answers: all.Response, truncated: all.Truncated, code: all.Rcode}
	if len(all.Question) > 0 {
		// Several questions in one message are not used in practice, and servers refuse them.
		q := all.Question[0]
		m.asks, m.question = true, question{name: withoutDot(q.Name), kind: q.Qtype, class: q.Qclass}
	}
	if err != nil {
		all.Answer = firstAnswers(raw, len(all.Question))
	}
	m.readAnswers(all.Answer)
	// A truncated question has no class.
	return m, (err == nil || m.asks) && (!m.asks || m.question.class != 0)
}

// firstAnswers returns the records of the answer section before the first one that cannot be read.
func firstAnswers(raw []byte, questions int) (records []dns.RR) {
	at := headerSize
	for range questions {
		_, next, err := dns.UnpackDomainName(raw, at)
		if err != nil {
			return nil
		}
		at = next + questionSize
	}
	for range int(binary.BigEndian.Uint16(raw[answersAt:])) {
		if at >= len(raw) {
			break
		}
		record, next, err := dns.UnpackRR(raw, at)
		if err != nil {
			break
		}
		records, at = append(records, record), next
	}
	return records
}

func (m *message) readAnswers(records []dns.RR) {
	m.records = len(records)
	for _, record := range records {
		switch r := record.(type) {
		case *dns.A:
			m.addAddress(r.A, r.Hdr.Ttl)
		case *dns.AAAA:
			m.addAddress(r.AAAA, r.Hdr.Ttl)
		case *dns.CNAME:
			m.canonical = withoutDot(r.Target)
			m.limitTTL(r.Hdr.Ttl)
		}
	}
}

func (m *message) addAddress(octets []byte, ttl uint32) {
	address, ok := netip.AddrFromSlice(octets)
	if !ok {
		return // a record without data
	}
	m.limitTTL(ttl)
	m.addresses = append(m.addresses, address.Unmap())
}

func (m *message) limitTTL(ttl uint32) {
	if m.ttl == 0 || ttl < m.ttl {
		m.ttl = ttl
	}
}

// withoutDot returns a name without the dot that ends it.
func withoutDot(name string) string {
	if short := strings.TrimSuffix(name, "."); short != "" {
		return short
	}
	return name
}

// badVersion is the name of code 16 outside of signatures; with signatures it is another error.
const badVersion = "badvers"

// codeName returns the name of a response code in lower case, such as "nxdomain".
func codeName(code int) string {
	if code == dns.RcodeBadVers {
		return badVersion
	}
	if name, ok := dns.RcodeToString[code]; ok {
		return strings.ToLower(name)
	}
	return "rcode" + strconv.Itoa(code)
}

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
	// name is as it is written in messages, without the dot at the end; "." is the root. Other than printable characters are escaped.
	name        string
	kind, class uint16
}

// folded returns the question in lower case. Names differ in no other way, and some resolvers mix the cases on purpose.
func (q question) folded() question {
	q.name = strings.ToLower(q.name)
	return q
}

// kindName returns the type of the records that are asked for, such as "AAAA".
func (q question) kindName() string {
	if name, ok := dns.TypeToString[q.kind]; ok {
		return name
	}
	return "TYPE" + strconv.Itoa(int(q.kind))
}

// message is what is used of a DNS message.
type message struct {
	id        uint16
	answers   bool // it is an answer, and no query
	truncated bool
	asks      bool // it has a question
	question  question
	code      int
	// addresses, canonical and records are of the answer section: the addresses, with the shortest time that one of them is valid, in
	// seconds; the name that the one in question stands for, "" if it is the canonical one; the number of records.
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

// parse reads a message. Of one that is not complete it returns what there is. It returns false if that is not even a question, or
// if it is about something else than a look-up.
func parse(raw []byte) (m message, ok bool) {
	var all dns.Msg
	err := all.Unpack(raw)
	if len(raw) < headerSize || all.Opcode != dns.OpcodeQuery {
		return m, false
	}
	m = message{id: all.Id, answers: all.Response, truncated: all.Truncated, code: all.Rcode}
	if len(all.Question) > 0 {
		// Nobody asks several at once, and no server answers that.
		q := all.Question[0]
		m.asks, m.question = true, question{name: withoutDot(q.Name), kind: q.Qtype, class: q.Qclass}
	}
	if err != nil {
		all.Answer = firstAnswers(raw, len(all.Question))
	}
	m.readAnswers(all.Answer)
	// A question that is not complete has no class.
	return m, (err == nil || m.asks) && (!m.asks || m.question.class != 0)
}

// firstAnswers returns the records of the answer section up to the place from which on a message cannot be read.
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

// badVersion is a code that stands for another error where it is not about a signature.
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
